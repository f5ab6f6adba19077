"""How `do=route` makes a routing policy out of stored runs."""

from math import inf
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.config.select import Signal
from harness.records import Record

__all__ = ["LIVE_SIGNALS", "PriceOf", "RouteOptions"]

_KINDS = ("cluster", "cascade", "score", "hybrid")
LIVE_SIGNALS: tuple[Signal, ...] = ("no_reply", "cut_off", "unreadable", "unknown_tool", "schema", "no_call")
"""Signals that a router can see; `no_answer` is found by a suite's scorer, which no router has."""


class PriceOf(Record):
    """What a model's calls would cost instead."""

    factor: float | None = Field(default=None, ge=0)
    """Times what they cost."""
    input: float | None = Field(default=None, ge=0)
    """USD per million tokens, with `output`."""
    output: float | None = Field(default=None, ge=0)
    """USD per million tokens, with `input`."""

    @model_validator(mode="after")
    def _one_way(self) -> "PriceOf":
        if (self.factor is None) == (self.input is None and self.output is None):
            msg = "give a factor, or input and output in USD per million tokens"
            raise ValueError(msg)
        if (self.input is None) != (self.output is None):
            msg = "input and output go together"
            raise ValueError(msg)
        return self


class RouteOptions(Record):
    """Which runs are evidence, what may be lost, and which policies are tried."""

    large: str | None = None
    """The run that all others are held against: a folder, a model's name or title; None: the run on record."""
    small: tuple[str, ...] = ()
    """Runs of small models, likewise; empty: all other runs of the suite."""
    suite: str | None = None
    """Which suite, where results/ has several."""
    name: str | None = None
    """Of the policy; None: that of the suite."""
    kinds: tuple[Literal["cluster", "cascade", "score", "hybrid"], ...] = _KINDS  # type: ignore[assignment]
    """Kinds of policy that are tried (docs/route.md); each takes its part of alpha."""
    margin: float = Field(default=0.02, gt=0, lt=1)
    """Loss of right answers against the large model alone that would matter, over all calls."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Chance that the certified policy loses the margin or more, over all kinds that are tried."""
    steps: int = Field(default=20, ge=1, le=200)
    """Thresholds that are tested at most, of each kind."""
    confidence: Literal[
        "auto", "mean_logprob", "least_logprob", "first_logprob", "agreement", "form", "reply_score"
    ] = "auto"
    """What a cascade and a hybrid go by; auto: what did best on the tuning split."""
    score: Literal["auto", "logistic", "boosted"] = "auto"
    """The learned score; auto: what did best in cross-validation on the tuning split."""
    signals: tuple[Signal, ...] = ("no_reply", "cut_off", "unreadable", "unknown_tool", "schema")
    """Signs in a reply that hand the call on, whatever its confidence."""
    clusters: str | None = None
    """Folder of `do=cluster`, for the names of tasks that a suite knows by their ids."""
    prices: dict[str, PriceOf] = Field(default_factory=dict)
    """What-if: by name of the model a factor, or {input: …, output: …} in USD per million tokens."""
    load: tuple[float, ...] = (1.0, 2.0, 5.0)
    """What-if: times the calls of today."""
    slots: int | None = Field(default=None, ge=1, le=4096)
    """Calls that the small engine serves at once; None: as the run had it, else 1."""
    calls_per_s: float | None = Field(default=None, gt=0)
    """Calls of today, where no log says when they came."""
    seed: int = 0
    """Decides folds of the cross-validation and what is drawn."""

    @field_validator("large", "suite", "name", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("prices", mode="before")
    @classmethod
    def _factors(cls, value: Any) -> Any:
        """`{gpt-4.1: 0.5}` is half of what its calls cost."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            return value
        return {str(name): {"factor": one} if isinstance(one, int | float) else one for name, one in value.items()}

    @field_validator("small", "kinds", "signals", "load", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | int | float) else value

    @field_validator("name")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        if value is not None and not value.replace("-", "").replace("_", "").replace(".", "").isalnum():
            msg = "letters, digits, dot, dash and underscore only"
            raise ValueError(msg)
        return value

    @field_validator("kinds")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            msg = f"name one or more of {', '.join(_KINDS)}"
            raise ValueError(msg)
        return tuple(dict.fromkeys(value))

    @field_validator("signals")
    @classmethod
    def _seen_live(cls, value: tuple[Signal, ...]) -> tuple[Signal, ...]:
        if "no_answer" in value:
            msg = f"no_answer is found by a suite's scorer, which no router has; there are {', '.join(LIVE_SIGNALS)}"
            raise ValueError(msg)
        return value

    @field_validator("load")
    @classmethod
    def _above_nothing(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < one < inf for one in value):
            msg = "wanted are numbers above 0, such as [1,2,5]"
            raise ValueError(msg)
        return value
