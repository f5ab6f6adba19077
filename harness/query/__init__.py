"""All results as tables that SQL can be put to."""
