"""Weights and data by pinned specification: fetched once, verified, kept in one cache."""

from harness.assets.fetch import Fetched, fetch
from harness.assets.progress import OnProgress, Progress, console_progress
from harness.assets.store import cache_dir

__all__ = ["Fetched", "OnProgress", "Progress", "cache_dir", "console_progress", "fetch"]
