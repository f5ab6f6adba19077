"""Programs that a model wrote, run behind a wall and judged from outside of it."""
