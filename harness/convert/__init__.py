"""A task learned by a small model: its rows, the training, the file for the engine, and what the gate says."""
