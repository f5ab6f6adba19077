"""Suites: what is asked, and how it is read from its data."""
