"""From stored runs to decisions: verdicts by cluster, the choice of variants, and what can be moved."""
