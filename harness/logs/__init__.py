"""Logs of agents: reading them, whatever they were exported from, and keeping them."""
