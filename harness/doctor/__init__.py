"""What a machine can run and what is missing, found out without a network and without starting an engine."""
