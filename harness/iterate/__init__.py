"""What new calls change: which tasks they belong to, what drifted, which verdicts are stale, what to do again."""
