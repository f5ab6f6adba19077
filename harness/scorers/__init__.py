"""Scorers: what a reply is worth, and why."""
