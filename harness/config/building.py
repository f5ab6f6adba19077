"""What `do=build` makes a suite from, how much of it, and when a replayed step counts as the same."""

from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from harness.records import Record, TrajectoryMatch
from harness.records.call import Split

__all__ = ["LOGGED_PARAMS", "BuildOptions"]


class BuildOptions(Record):
    """From curated calls to a suite."""

    calls: str
    """Folder of curated calls (`do=curate`)."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Of the suite: `suite=NAME` runs it."""
    out: str = "suites"
    """Folder in which the suite's own is made."""
    replace: bool = False
    """Write over a suite of that name."""
    replay: Literal["step", "trajectory"] = "step"
    """A sample for each call, or for each session: its first call, and all that follow with the recorded results."""
    match: TrajectoryMatch = "strict"
    """Of sessions: which recorded result a call is given (`strict`, `fifo`: docs/trajectory.md)."""
    read_only: tuple[str, ...] = ()
    """Of sessions with `match=fifo`: tools that only look something up, by their logged names; `*` is any letters."""
    first_step: int = Field(default=0, ge=0)
    """Of sessions: how many steps of the record are given as history, before the model chooses."""
    most_steps: int | None = Field(default=None, ge=2)
    """Of sessions: steps at most; None: all."""
    clusters: str | None = None
    """Parquet file, or folder with `assignments.parquet`, that says which cluster each call is in; None: the strata are
    the log's agents, by family."""
    splits: tuple[Split, ...] = ("test",)
    """Which splits the suite holds; a run takes the first of them unless `suite.options.split` says otherwise."""
    per_cluster: int | None = Field(default=None, ge=1)
    """Samples of each cluster and split at most; None: as many as the power calculation asks for."""
    per_session: int | None = Field(default=None, ge=1)
    """Samples of one session within a cluster and split at most; with 1 they are independent, as the exact paired
    verdict wants them."""
    margin: float = Field(default=0.05, gt=0, lt=1)
    """Loss that a comparison should be able to rule out in each cluster."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Chance of a wrong verdict that the number of samples is made for."""
    power: float = Field(default=0.8, gt=0.5, lt=1)
    """Chance of a verdict that the number of samples is made for."""
    discordant: float = Field(default=0.1, ge=0, le=1)
    """Share of samples that one model is expected to get right and the other wrong."""
    text: Literal["auto", "decision", "normalised", "rouge", "json"] = "auto"
    """When words count as right. `auto`: any words where tools were offered; else JSON as JSON, answers of up to five
    words in normal form, longer ones by ROUGE-L."""
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Of ROUGE-L."""
    free_text: float | None = Field(default=0.7, gt=0, le=1)
    """Token F1 from which on a free-text argument is right; null: only in equal normal form."""
    tolerance: float = Field(default=1e-6, ge=0)
    """Of numbers in arguments, relative."""
    unstable: Literal["any", "drop"] = "any"
    """Requests that the log's model answered in several ways: any of them counts, or they are left out."""
    params: tuple[str, ...] = (
        "tool_choice", "parallel_tool_calls", "response_format", "temperature", "top_p", "max_tokens", "stop",
    )  # fmt: skip
    """Fields of the logged requests that are asked again as logged."""
    seed: int = 0
    """Decides which calls of a cluster are taken."""

    @field_validator("match", "read_only", "first_step", "most_steps")
    @classmethod
    def _for_sessions(cls, value: object, info: ValidationInfo) -> object:
        default = cls.model_fields[info.field_name or ""].default
        if value != default and info.data.get("replay") == "step":
            raise ValueError("it is for whole sessions; add build.replay=trajectory, or leave it out")
        if info.field_name == "read_only" and value and info.data.get("match") == "strict":
            raise ValueError("it is for build.match=fifo: by strict matching no call is made again")
        return value

    @field_validator("splits", "params", "read_only", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


LOGGED_PARAMS: Final = frozenset(BuildOptions.model_fields["params"].default)
"""Fields that `build.params` may name whether a log has them or not; any other has to be in it."""
