"""Hosted models of any provider that litellm knows, through a relay that runs litellm in a process of its own.

litellm takes seconds to import and holds other packages back; so the harness never loads it, and its one client
measures hosted models as it measures every other. The relay and its times are in `harness.backends.litellm_child`.
"""

import os
import secrets
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import JsonValue

from harness.assets import OnProgress
from harness.backends.litellm_child import RelaySettings
from harness.backends.process import ServerProcess
from harness.config import LitellmConfig, ModelConfig
from harness.errors import BackendError, ConfigError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts

__all__ = ["Litellm", "key_from_file"]

_CHILD = Path(__file__).with_name("litellm_child.py")
_FILE_VARIABLE = "SLM_HARNESS_API_KEY"
"""In the child's environment alone: the key that stood in a file."""
_MOST_KEY_BYTES = 16_384
_NO_CALLS_HOME = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_MODE": "PRODUCTION",  # else it reads keys from any .env file on the way up
    "LITELLM_LOG": "ERROR",
    "HF_HUB_OFFLINE": "1",  # else it fetches tokenizers to estimate counts with
}


class Litellm:
    """The backend `litellm`: one hosted model, by litellm's name for it."""

    name = "litellm"

    def __init__(self, config: LitellmConfig, model: ModelConfig, *, on_progress: OnProgress | None = None) -> None:
        """Nothing is fetched here, so `on_progress` hears nothing."""
        del on_progress
        self._config = config
        self._model = model
        self._served = model.served_name or model.name

    def prepare(self) -> None:
        """Nothing: the weights are the provider's. Raises ConfigError for an address that may hold a key."""
        parts = urlsplit(self._model.url or "")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigError(
                "model.url holds a user, a password or a query: give the address alone, the key by "
                "model.api_key_env=NAME, and a version as backend.extra_body={api_version: …}"
            )

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        """A context in which the relay answers; leaving it ends the relay.

        Raises ConfigError where a key or a Python is missing or cannot be meant, BackendError where litellm is not
        installed, the relay does not come up, or it ended by itself while it was used.
        """
        return self._serve()

    @asynccontextmanager
    async def _serve(self) -> AsyncIterator[Endpoint]:
        settings, environment = self._order()
        order = {"settings": asdict(settings)}
        python = _python(self._config.python)
        with ServerProcess(
            _CHILD, order, environment=environment, python=python, engine="the relay to litellm"
        ) as child:
            try:
                answer = await child.answer(self._config.start_timeout_s)
            except TimeoutError:
                limit = self._config.start_timeout_s
                raise BackendError(
                    f"litellm did not come up within {limit:g} s; give it longer: backend.start_timeout_s={2 * limit:g}"
                ) from None
            if "error" in answer:
                raise self._gave_up(str(answer["kind"]), str(answer["error"]))
            try:
                yield self._endpoint(answer, settings.password)
            except Exception as error:
                if await child.ends():
                    raise BackendError(child.obituary("during the run")) from error
                raise
            if child.ended():
                raise BackendError(child.obituary("during the run"))

    def _order(self) -> tuple[RelaySettings, dict[str, str]]:
        """What the child is told, and the environment that it is told the key by."""
        config, model = self._config, self._model
        environment, variable = dict(_NO_CALLS_HOME), model.api_key_env
        if config.api_key_file is not None:
            if variable is not None:
                raise ConfigError("model.api_key_env and backend.api_key_file are both given: leave one of them out")
            environment[_FILE_VARIABLE], variable = (
                key_from_file(Path(config.api_key_file).expanduser()),
                _FILE_VARIABLE,
            )
        elif variable is not None and not os.environ.get(variable, "").strip():
            raise ConfigError(f"{model.name} needs a key, and the variable {variable} is not set: export {variable}=…")
        if config.cache == "mark" and "claude" not in self._served.lower():
            raise ConfigError(
                f"backend.cache=mark is for Claude models, and {self._served} is none: leave it out; other providers "
                "cache without being told"
            )
        settings = RelaySettings(
            model=self._served,
            url=model.url,
            key_variable=variable,
            password=secrets.token_urlsafe(24),
            mark_cache=config.cache == "mark",
            drop=config.drop,
            extra=dict(config.extra_body),
        )
        return settings, environment

    def _endpoint(self, answer: dict[str, Any], password: str) -> Endpoint:
        flags: dict[str, JsonValue] = {"cache": self._config.cache, "dropped": list(answer["dropped"])}
        return Endpoint(
            base_url=f"{answer['address']}/v1",
            model=self._served,
            facts=BackendFacts(name=self.name, build=str(answer["build"]), flags=flags, served_model=self._served),
            headers={"Authorization": f"Bearer {password}"},
            caches=self._config.cache == "mark",
        )

    def _gave_up(self, kind: str, reason: str) -> ConfigError | BackendError:
        """Why the relay did not come up, in one line with what to type."""
        if kind == "MissingKey":
            variables = reason.split(", ")
            return ConfigError(
                f"{self._served} needs a key, and {reason} {'is' if len(variables) == 1 else 'are'} not set: "
                f"export {variables[0]}=…, or backend.api_key_file=FILE"
            )
        if kind == "ModuleNotFoundError" and "'litellm'" in reason:
            where = "this Python" if self._config.python is None else f"backend.python={self._config.python}"
            return BackendError(
                f"litellm is not installed in {where}: pip install 'slm-harness[hosted]', or name a Python that has "
                "it: backend.python=…"
            )
        return BackendError(f"litellm did not come up ({kind}): {' '.join(reason.split())[:300]}")


def _python(configured: str | None) -> str:
    """The interpreter that runs the relay. Raises ConfigError where there is none at the given place."""
    if configured is None:
        return sys.executable
    path = Path(configured).expanduser()
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise ConfigError(f"backend.python={configured} is no program; it looks like .venv-hosted/bin/python")
    return str(path)


def key_from_file(path: Path) -> str:
    """The key in a file that only its owner can read.

    Raises ConfigError, without a word of what is in it, where the file is not there, others may read it, or it holds
    something else than one line without blanks.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            mode = stat.S_IMODE(found.st_mode)
            if mode & 0o077 or not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"{path.name} can be read by others (mode {mode:04o}): chmod 600 {path.name}")
            raw = file.read(_MOST_KEY_BYTES)
    except OSError as error:
        raise ConfigError(f"backend.api_key_file={path.name} cannot be read: {error.strerror}") from None
    key = raw.decode("ascii", "replace").strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{path.name} holds no key: it is to be one line without blanks or unprintable characters")
    return key
