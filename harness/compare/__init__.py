"""Stored runs held against each other, sample by sample."""
