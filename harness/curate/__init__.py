"""From logs to what can be measured on: nothing personal, nothing twice, fairly split."""
