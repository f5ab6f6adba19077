"""Values that stand for others: drawn under a key, of the same form, never two the same."""
