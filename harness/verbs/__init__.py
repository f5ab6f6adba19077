"""One short file a verb: read files, call pure code, write files."""
