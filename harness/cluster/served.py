"""Vectors of a model behind an OpenAI-compatible `/embeddings`: hosted, or a server of one's own."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.errors import BackendError, ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

__all__ = ["Served", "served"]

HOME: Final = "https://api.openai.com/v1"
_KEY: Final = "OPENAI_API_KEY"
_AT_ONCE: Final = 64
"""Texts of one request."""
_IN_FLIGHT: Final = 4
_LONGEST: Final = 8_000
"""Characters of a text that are sent: below 8,191 tokens, where the hosted models end, whatever the script."""
_TRIES: Final = 4
_PATIENCE_S: Final = 60.0
_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(slots=True)
class Served:
    """A model by its name at an address. `tokens` counts what the server says that it read."""

    model: str
    url: str
    key: str | None = field(repr=False)
    wait_s: float = 1.0
    tokens: int = 0

    @property
    def name(self) -> str:
        """What its vectors are kept by."""
        return f"{self.url}#{self.model}"

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """The vectors as the server gives them, shape (n, width). Raises BackendError with what it said."""
        parts = [texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE)]
        with ThreadPoolExecutor(_IN_FLIGHT) as pool:
            found = list(pool.map(self._ask, parts))
        self.tokens += sum(tokens for _, tokens in found)
        rows = [row for vectors, _ in found for row in vectors]
        if len({len(row) for row in rows}) > 1:
            raise BackendError(f"{self.model} at {self.url} gives vectors of different widths; is it one model?")
        return np.asarray(rows, dtype=np.float32)

    def _ask(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        asked = [text.encode("utf-8", "replace").decode()[:_LONGEST] or " " for text in texts]  # none may be empty
        body = json.dumps({"model": self.model, "input": asked, "encoding_format": "float"}).encode()
        head = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = urllib.request.Request(f"{self.url}/embeddings", body, head)
        said = ""
        for wait_s in self._waits():
            try:
                with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:
                    return self._read(answer.read(), len(texts))
            except urllib.error.HTTPError as error:
                with error:
                    said = f"{error.code} {self._hidden(error.read(400).decode('utf-8', 'replace'))}"
                if error.code not in _AGAIN:
                    break
                wait_s = _told(error.headers.get("Retry-After"), wait_s)
            except (OSError, HTTPException) as error:
                said = str(getattr(error, "reason", error)) or type(error).__name__
            time.sleep(wait_s)
        raise BackendError(f"{self.model} at {self.url} gave no vectors: {' '.join(said.split())[:200]}")

    def _waits(self) -> Iterator[float]:
        yield from (self.wait_s * 2**turn for turn in range(_TRIES - 1))
        yield 0.0

    def _read(self, content: bytes, asked: int) -> tuple[list[list[float]], int]:
        try:
            told: Any = json.loads(content)
            rows = sorted(told["data"], key=lambda row: int(row["index"]))
            vectors = [[float(value) for value in row["embedding"]] for row in rows]
            usage = told.get("usage") or {}
            tokens = int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)
        except (ValueError, TypeError, KeyError, AttributeError):
            vectors, tokens = [], 0
        if len(vectors) != asked or not all(vectors) or not np.isfinite(np.asarray(vectors[0])).all():
            raise BackendError(f"{self.model} at {self.url} answered, but not with {asked} vectors: no /embeddings?")
        return vectors, tokens

    def _hidden(self, said: str) -> str:
        return said.replace(self.key, "[key]") if self.key else said


def served(model: str, url: str | None, key_env: str | None) -> Served:
    """The model at that address, by default OpenAI's own (`OPENAI_BASE_URL`). key_env: the variable with the key.

    Raises ConfigError for what is no address, and where the key of a named variable, or OpenAI's own, is missing.
    """
    address = (url or os.environ.get("OPENAI_BASE_URL") or HOME).rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise ConfigError(f"cluster.embedding_url={address} is no address; one is http://127.0.0.1:8000/v1")
    key = os.environ.get(key_env or _KEY)
    if not key and (key_env or address == HOME):
        raise ConfigError(
            f"cluster.embedding=openai:{model} needs the key in {key_env or _KEY}; another variable is named by "
            "cluster.embedding_key_env=…, a server of your own by cluster.embedding_url=…"
        )
    return Served(model, address, key or None)


def _told(retry_after: str | None, wait_s: float) -> float:
    """What the server asks for in whole seconds, up to a minute; else ours."""
    return min(_PATIENCE_S, float(retry_after)) if retry_after and retry_after.isdigit() else wait_s
