"""Where a text holds something personal or secret."""
