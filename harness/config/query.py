"""How results are asked by SQL, and in what form the answer comes."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.records import Record

__all__ = ["QueryOptions"]

Format = Literal["table", "csv", "json", "markdown", "parquet"]
_SUFFIXES: dict[str, Format] = {".csv": "csv", ".json": "json", ".md": "markdown", ".parquet": "parquet"}


class QueryOptions(Record):
    """The answer of `do=query`."""

    format: Format | None = None
    """None: by the end of `out`, else a table for people."""
    out: str | None = None
    """File; None: standard output."""
    file: str | None = None
    """File with the SQL, in place of `sql`."""
    rows: int = Field(default=100, ge=1)
    """Most rows of a table for people; the other forms hold all."""
    memory_mb: int = Field(default=512, ge=64)
    """Beyond this DuckDB works on disk."""
    clusters: str = "clusters"
    """Folder with the folders of `do=cluster`, for the views `clusters` and `weeks`."""

    @field_validator("out", "file", "clusters", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        """A name of digits comes from the command line as a number."""
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _parquet_to_a_file(self) -> "QueryOptions":
        if self.form == "parquet" and self.out is None:
            msg = "parquet is no text: name a file, query.out=answer.parquet"
            raise ValueError(msg)
        return self

    @property
    def form(self) -> Format:
        """In what form the answer comes."""
        by_name = _SUFFIXES.get(Path(self.out).suffix.lower()) if self.out else None
        return self.format or by_name or "table"
