"""What `do=audit` takes besides the keys of the steps that it does."""

from pydantic import Field

from harness.records import Record

__all__ = ["AuditOptions"]


class AuditOptions(Record):
    """How much is asked, and what is judged."""

    per_cluster: int | None = Field(default=120, ge=1)
    """Samples of each cluster at most, as `build.per_cluster`; null: as many as a verdict in it alone needs."""
    earlier: bool = False
    """Judge complete runs of the same samples by other models, too; each adds verdicts to correct for."""
    estimate_only: bool = False
    """Make the suite and say what the calls would take; ask no model."""
