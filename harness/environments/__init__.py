"""Environments whose tools really run, each task's world in a worker process of its own."""
