"""Files of a run: the journal, the folder, its lock."""
