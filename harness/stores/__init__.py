"""Results and logs in the stores that teams have: S3 and whatever else fsspec speaks to."""
