"""What every verb of the command line has."""

from typing import Any, Literal

from pydantic import Field, model_validator

from harness.config.chain import ChainConfig, gathered
from harness.config.running import SuiteConfig
from harness.records import Record

__all__ = ["PathsConfig", "ReportOptions", "SuiteVerbConfig", "VerbConfig"]


class PathsConfig(Record):
    """Where files go, relative to the current folder."""

    results: str = "results"
    """Folder of runs and of what is made from them."""
    reports: str = "reports"
    """Folder of pages and tables."""
    replies: str | None = None
    """Of the cache of replies; None: `replies/` in the user's cache folder."""

    @model_validator(mode="after")
    def _on_this_machine(self) -> "PathsConfig":
        """Of the whole, since a complaint about one key repeats its value, and an address may hold a key."""
        away = [name for name in ("results", "reports", "replies") if "://" in (getattr(self, name) or "")]
        if away:
            msg = (
                f"{away[0]} is an address, and journals need appends and locks, which stores have not: results are "
                "written here, then do=publish remote.url=ADDRESS, and do=pull remote.url=ADDRESS elsewhere"
            )
            raise ValueError(msg)
        return self


class ReportOptions(Record):
    """What goes into `reports/`, beside the page of the verb itself."""

    tables: bool = True
    """Every table of a page also as CSV, Parquet, JSON and Markdown."""
    samples: bool = True
    """Prompts, replies and reasons of single samples; without them pages hold figures alone."""
    site: bool = False
    """The index of everything, with a page for each run."""


class VerbConfig(Record):
    """What every verb has."""

    do: str
    """The verb."""
    paths: PathsConfig = PathsConfig()
    report: ReportOptions = ReportOptions()
    progress: Literal["auto", "plain", "off"] = "auto"
    """`auto`: one line that changes on a terminal, else a line now and then. `plain`: always lines. `off`: none."""


class SuiteVerbConfig(VerbConfig):
    """What every verb has that takes a suite which may be made on the way."""

    suite: SuiteConfig
    chain: ChainConfig | None = Field(default=None, exclude_if=lambda chain: chain is None)
    """Of `suite=replay`: how the suite is made from logs; on the command line its keys have no prefix."""

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, data: Any) -> Any:
        return gathered(data)
