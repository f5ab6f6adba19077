"""Which stored runs are held against each other, and how."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.records import Record

__all__ = ["CompareOptions"]


class CompareOptions(Record):
    """A pair of runs, or several. All left out: the newest two on the same samples."""

    a: str | None = None
    """The run held against: a folder, or the name of one in results/run."""
    b: str | None = None
    """The run looked at; None: the newest other one on the samples of `a`."""
    runs: tuple[str, ...] | Literal["all"] = ()
    """Several runs in place of the two: each against each. `all`: the latest of each set-up of one suite."""
    suite: str | None = None
    """Of the runs that are looked for."""
    margin: float = Field(default=0.05, gt=0, lt=1)
    """Loss of accuracy that would matter, as a share of the samples."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """One-sided chance of a false verdict, for all categories (cells of the matrix) together as `correction` has it."""
    correction: Literal["holm", "bh", "none"] = "holm"
    """How α is shared by pairs and categories: `holm`: chance of any false one. `bh`: expected share of false ones.
    `none`."""
    common: bool = False
    """Whether runs of other samples are held against each other on those that both have."""

    @field_validator("a", "b", "suite", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        """A name of digits comes from the command line as a number."""
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("runs", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if value is None:
            return ()
        return (value,) if isinstance(value, str) and value != "all" else value

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> "CompareOptions":
        if self.runs and (self.a is not None or self.b is not None):
            msg = "compare.runs stands in place of compare.a and compare.b; give either"
            raise ValueError(msg)
        if self.b is not None and self.a is None:
            msg = "compare.b is held against compare.a; add: compare.a=results/run/FOLDER"
            raise ValueError(msg)
        if isinstance(self.runs, tuple) and len(self.runs) == 1:
            msg = "compare.runs takes two runs or more: compare.runs=[results/run/ONE,results/run/OTHER], or all"
            raise ValueError(msg)
        return self
