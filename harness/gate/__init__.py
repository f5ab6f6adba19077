"""Gates: a run held against the baseline that somebody accepted, for a program that wants yes or no."""
