"""What `do=quantize` makes, and when it counts as no worse."""

from typing import Any, Literal

from pydantic import Field, field_validator

from harness.records import Record

__all__ = ["QuantizeOptions"]


class QuantizeOptions(Record):
    """Which precisions of a model, and when one counts as no worse."""

    types: tuple[str, ...] | None = None
    """llama.cpp's names; None: F16, Q8_0, Q6_K, Q4_K_M and Q2_K, or only what `files` has if that has some."""
    files: dict[str, str] = Field(default_factory=dict)
    """Files that are ready, by type or any other name."""
    baseline: str = "F16"
    """What the others are held against: one of the types or files."""
    margin: float = Field(default=0.02, gt=0, lt=1)
    """Loss of accuracy that would matter, as a share of the samples."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """One-sided chance of a false verdict, for each type on its own."""
    require: tuple[str, ...] = ()
    """Exit 1 where one of these has no `pass`."""
    python: str | None = None
    """A Python with llama-cpp-python; None: that of `make quantize-env`, or this one."""
    program: str | None = None
    """llama.cpp's `llama-quantize` in its place."""
    threads: int | None = Field(default=None, ge=1)
    """None: all physical cores."""
    together: Literal["auto", "on", "off"] = "auto"
    """All at once, attempts in turn, so that their times compare. `auto`: where memory has room for all of them."""

    @field_validator("files", mode="before")
    @classmethod
    def _none_given(cls, value: Any) -> Any:
        """In the configuration it is null where there are none: Hydra takes no new keys for an empty mapping."""
        return {} if value is None else value

    @field_validator("require", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value
