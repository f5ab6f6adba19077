"""The log's own load played to an engine: what is sent when, what came of it, and whether that holds."""
