"""What `do=iterate` looks at, when something counts as changed, and what it may do about it."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.records import Record

__all__ = ["DriftOptions", "IterateOptions", "StaleOptions"]


class DriftOptions(Record):
    """When calls of a cluster count as drifted: shown not to be chance, and large enough to matter."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Chance that a look at unchanged calls finds any drift."""
    correction: Literal["holm", "bh"] = "holm"
    """Over all tests of a look. `bh`: an expected share of false findings in place of the chance of any."""
    least_calls: int = Field(default=30, ge=2)
    """New calls that a cluster must have to be tested, and a group to be a new task; gathered over looks."""
    least_sessions: int = Field(default=5, ge=2)
    """Sessions that each side must have, and a new task."""
    psi: float = Field(default=0.1, ge=0)
    """Population stability index, chance taken off, from which on a shift matters."""
    auc: float = Field(default=0.6, ge=0.5, lt=1)
    """How well a classifier must tell new from old."""
    mmd: float = Field(default=0.02, ge=0, lt=2)
    """Squared maximum mean discrepancy; about this share squared is of another kind."""
    mean: float = Field(default=0.03, ge=0, lt=1)
    """Difference of a share (outcome, refusals to answer, handed on, other answers) that matters."""


class StaleOptions(Record):
    """When a verdict is too old to be relied on."""

    days: float | None = Field(default=90, gt=0)
    """Age. None: no matter."""
    traffic: float | None = Field(default=1.0, gt=0)
    """New calls of the cluster, as a multiple of those that were there when it was judged. None: no matter."""


class IterateOptions(Record):
    """From new calls to what is to be done again."""

    calls: str | None = None
    """Folder of curated calls, the new alone or old and new together; None: `logs.path`."""
    clusters: str | None = None
    """Folder of `do=cluster`; None: `clusters/` and the name of the calls' folder."""
    reference: tuple[str, ...] = ()
    """Folders of curated calls with those that the clusters were made of; empty: the one that the clusters name."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Of the state's folder; None: that of the clusters."""
    out: str = "iterate"
    """Folder of what is found."""
    suite: str | None = None
    """Suite whose verdicts are looked after; None: that of the latest selection."""
    router: tuple[str, ...] = ()
    """Folders with the router's logs; empty: those of the latest `results/route/`."""
    embedding_url: str | None = None
    """Of clusters made with `openai:NAME`, as for do=cluster."""
    embedding_key_env: str | None = None
    """Variable that holds the key of `embedding=openai:NAME`; null: `OPENAI_API_KEY`."""
    drift: DriftOptions = DriftOptions()
    stale: StaleOptions = StaleOptions()
    exit_zero: bool = False
    """Exit 0 even where something is to be done."""
    apply: bool = False
    """Do it."""
    models: tuple[str, ...] = ()
    """Of `apply`: models that are asked again; empty: those that the latest selection chose."""
    overrides: tuple[str, ...] = ()
    """Of `apply`: what is typed besides for each model's run: `["backend.threads=2"]`."""
    build: tuple[str, ...] = ()
    """Of `apply`: what is typed besides to build the suite: `["build.per_cluster=120"]`."""
    seed: int = 0
    """Decides resamples and what is drawn."""

    @field_validator("reference", "router", "models", "overrides", "build", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _for_apply(self) -> "IterateOptions":
        given = [name for name in ("models", "overrides", "build") if getattr(self, name)]
        if given and not self.apply:
            message = f"iterate.{given[0]} is for iterate.apply=true; add that, or leave it out"
            raise ValueError(message)
        return self
