"""What `do=curate` leaves out, what it holds for the same, and how it splits."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.records import Record

__all__ = ["CurateOptions", "CurateRule", "NearConfig", "SplitConfig"]

CurateRule = Literal["cached", "duplicate", "empty", "failed", "human_chat", "near_duplicate", "retried", "truncated"]


class NearConfig(Record):
    """When two calls count as nearly the same."""

    threshold: float = Field(default=0.8, ge=0.5, le=1)
    """Jaccard similarity of their runs of three words, of tools and messages with arguments and tool results."""
    perms: int = Field(default=128, ge=64, le=1024)
    """Permutations of MinHash; candidates it finds are checked exactly, so more find more and cost more."""
    template_frac: float = Field(default=0.1, gt=0, le=1)
    """Runs of words in prompts that this share of an agent's sessions (and three) have are template, not content."""


class SplitConfig(Record):
    """Which calls are for training, for calibration and for the test."""

    train: float = Field(default=0.6, ge=0, le=1)
    """Share of the calls to learn from."""
    calibration: float = Field(default=0.2, ge=0, le=1)
    """Share of the calls to choose and tune by."""
    test: float = Field(default=0.2, ge=0, le=1)
    """Shares of the calls; reached as closely as whole groups allow."""
    users: bool = True
    """Keep the calls of one end user together."""
    chains: Literal["together", "drop"] = "together"
    """Near duplicates of other sessions: the sessions stay together, and what hangs on them; or they are split all the
    same, and what is then too near to an earlier split (train, calibration) is dropped."""
    keep: str | None = None
    """Curated folder whose calls stay in their splits; None: the one that is made anew, if it was split by these same
    settings. Not by time, where the latest are always the test."""
    straddling: Literal["earlier", "drop"] = "earlier"
    """By time, calls of a group that began before a cut and goes on after it: kept on the earlier side, or dropped."""
    seed: int = 0
    """Decides by chance, with the id of a group's first call, which split it goes to."""

    @model_validator(mode="after")
    def _whole(self) -> "SplitConfig":
        total = self.train + self.calibration + self.test
        if abs(total - 1) > 1e-6:
            message = f"train, calibration and test add up to {total:g}, not 1; set all three of them"
            raise ValueError(message)
        return self


class CurateOptions(Record):
    """From the store's calls to calls that can be measured on."""

    store: str | None = None
    """Folder of the store; None: `store.path`."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Of the folder that is made, within `curate.out`."""
    out: str = "curated"
    """Folder in which `name` is made."""
    pii: Literal["rules", "nlp", "off"] = "rules"
    """What finds personal data. `off` leaves it all in, and needs `curate.i_know=true`."""
    i_know: bool = False
    """Says that personal data may stay in, for `pii=off`."""
    scope: Literal["project", "session"] = "project"
    """Where one value has one pseudonym. `session`: duplicates across sessions with personal data go unseen."""
    key_env: str | None = None
    """Name of the variable with the key of the pseudonyms; None: HARNESS_PSEUDONYM_KEY, where it is set."""
    key_file: str | None = None
    """File with it, `chmod 600`; None: the project's own, made on first use in the user's state folder."""
    restore_map: str | None = None
    """File outside the project that says which pseudonym stands for what; None: nothing does."""
    canaries: int = Field(default=0, ge=0, le=100)
    """Made-up people put among the calls before redaction, for `do=leakcheck` to look for afterwards."""
    drop: tuple[CurateRule, ...] = ("human_chat", "cached", "retried", "failed", "truncated", "empty", "duplicate")
    """Rules that leave calls out."""
    agents: tuple[str, ...] = ()
    """Only of these; empty: all."""
    models: tuple[str, ...] = ()
    """Only of these; empty: all."""
    since: str | None = None
    """Only sent from then on: `2026-01-31` or `2026-01-31T12:00:00Z`."""
    until: str | None = None
    """Only sent before then."""
    min_outcome: float | None = Field(default=None, ge=0, le=1)
    """Only of sessions that ended at least so well, by the log."""
    verified_from: float = Field(default=1.0, ge=0, le=1)
    """Outcome from which on a person's or a checker's word makes a reply more than the incumbent's."""
    max_chars: int | None = Field(default=None, ge=1)
    """Longest request, in bytes of its JSON."""
    near: NearConfig = NearConfig()
    split_by: Literal["seed", "time"] = "seed"
    """`seed`: by chance, whole groups. `time`: the latest groups are the test."""
    split: SplitConfig = SplitConfig()
    max_leak: float | None = Field(default=None, ge=0, le=1)
    """Largest share of test calls with a near duplicate in train; more: exit 1."""

    @field_validator("drop", "agents", "models", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _meant(self) -> "CurateOptions":
        if self.pii == "off" and not self.i_know:
            message = "curate.pii=off leaves personal data and secrets in; if that is meant, add curate.i_know=true"
            raise ValueError(message)
        return self
