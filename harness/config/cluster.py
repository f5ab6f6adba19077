"""How `do=cluster` finds an agent's recurring tasks."""

from typing import Any, Literal

from pydantic import Field, field_validator

from harness.records import Record

__all__ = ["ClusterOptions", "NamesOptions"]


class NamesOptions(Record):
    """Which model names the tasks."""

    model: str | None = None
    """Name in `conf/model`; None: tasks are called by their words."""
    overrides: tuple[str, ...] = ()
    """What is typed besides to set that model up: `["model.url=…","backend.threads=2"]`."""
    max_tokens: int | None = Field(default=None, ge=16)
    """For one name; None: the model's own `generation.max_tokens`."""
    concurrency: int = Field(default=1, ge=1, le=256)
    """Requests at once."""


class ClusterOptions(Record):
    """From curated calls to tasks."""

    calls: str
    """Folder of curated calls."""
    name: str | None = None
    """Of the folder that is made within `cluster.out`; None: that of the calls. An old one is gone on with."""
    out: str = "clusters"
    """Folder in which `name` is made."""
    fresh: bool = False
    """Forget what was there: new ids, no edits."""
    algorithm: Literal["hdbscan", "kmeans", "agglomerative"] = "hdbscan"
    """How the calls of a node are grouped (docs/cluster.md)."""
    k: int | None = Field(default=None, ge=1)
    """Clusters in each node, for kmeans and agglomerative; None: the best silhouette of a grid."""
    min_size: int | None = Field(default=None, ge=2)
    """Fewest calls of a cluster; None: 5 to 50 by the node's calls."""
    embedding: str = "minilm"
    """`minilm`, `tfidf`, `model2vec:NAME`, `sentence-transformers:NAME`, `openai:NAME`, or an entry point of
    harness.embeddings."""
    embedding_url: str | None = None
    """Address of an OpenAI-compatible server, up to /v1, for `openai:NAME`; None: OPENAI_BASE_URL, else OpenAI's."""
    embedding_key_env: str | None = None
    """Environment variable with its key; None: OPENAI_API_KEY."""
    sample: int = Field(default=8_000, ge=100)
    """Calls of a node that the algorithm sees; the others go to the nearest cluster."""
    stability: int = Field(default=5, ge=0, le=100)
    """Resamples; 0: none."""
    names: NamesOptions = NamesOptions()
    merge: tuple[tuple[str, ...], ...] = ()
    """Ids: each group becomes one cluster, and keeps the first id."""
    split: tuple[str, ...] = ()
    """Ids of clusters to be parted in two."""
    seed: int = 0
    """Decides samples, resamples and starts."""

    @field_validator("split", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("merge", mode="before")
    @classmethod
    def _one_group(cls, value: Any) -> Any:
        """`cluster.merge=[a,b]` is one group."""
        return (tuple(value),) if value and all(isinstance(one, str) for one in value) else value
