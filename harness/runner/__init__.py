"""Putting samples to a model: concurrency, retries, journal, resume, summary."""
