"""What runs inside the sandbox: only Python's own library, and nothing of the rest of the harness."""
