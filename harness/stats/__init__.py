"""Pure statistics: numbers in, intervals and verdicts out."""
