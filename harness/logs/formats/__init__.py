"""Formats of logs, one file each, found by the entry points of `harness.log_formats`."""
