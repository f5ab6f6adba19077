"""From verdicts to what to do: estimates before the calls, and clusters sorted by what comes next."""
