"""Pages that people read, made from finished runs."""

from harness.report.leaderboard import build_leaderboard, write_leaderboard
from harness.report.view import RunView

__all__ = ["RunView", "build_leaderboard", "write_leaderboard"]
