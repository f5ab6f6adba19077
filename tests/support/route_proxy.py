"""A policy's folder as it is deployed, its models as embedded llama.cpp servers, and LiteLLM's proxy before them."""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.backends import backend_for
from harness.config import RunConfig
from harness.config.parsing import compose_apart
from harness.protocols import Endpoint
from harness.records.route import ModelTarget, RouteControl, RoutePolicy, RouteRule
from harness.route.export import export_litellm
from harness.router.control import write_control
from harness.router.policy import POLICY
from tests.support.report_runs import made_manifest

PROXY = Path(__file__).parents[2] / ".venv-proxy" / "bin" / "litellm"
SMALL, LARGE = "smollm2", "gemma3_270m"
KEY = "sk-loopback-only"
_STARTED = re.compile(r"Uvicorn running on (http://\S+)")
_ALONE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "LITELLM_MASTER_KEY": KEY}
"""No price list is fetched, and no key read from a .env file on the way up."""


@dataclass(frozen=True)
class Served:
    """A model that answers on loopback."""

    endpoint: Endpoint
    pid: int


@asynccontextmanager
async def serving(*names: str) -> AsyncIterator[dict[str, Served]]:
    """Models of the board, one slot and one thread each. Ended with the context, also one that was killed meanwhile."""
    async with contextlib.AsyncExitStack() as stack:
        found = {}
        for name in names:
            engine = ("backend.threads=1", "backend.context_tokens=1024")
            config = compose_apart("suite=toolcall", f"model={name}", *engine)
            assert isinstance(config, RunConfig)
            before = {one.pid for one in psutil.Process().children()}
            served = backend_for(config.model, config.backend).serve()
            endpoint = await served.__aenter__()
            stack.push_async_callback(_left, served)
            (pid,) = {one.pid for one in psutil.Process().children()} - before
            found[name] = Served(endpoint, pid)
        yield found


async def _left(served: Any) -> None:
    with contextlib.suppress(Exception):  # a server that a test killed says so
        await served.__aexit__(None, None, None)


def policy_of(threshold: float, **changes: Any) -> RoutePolicy:
    """A cascade by the mean log-probability: the small model first, the large one where it is less sure."""
    small = ModelTarget(name=SMALL, run="small", model=SMALL, protocol="native", label="SmolLM2", logprobs=True)
    large = ModelTarget(name=LARGE, run="large", model=LARGE, protocol="native", label="Gemma 3 270M")
    known: dict[str, Any] = {
        "name": "loopback",
        "made_at": "2026-11-22T00:00:00Z",
        "harness": "0.1.0",
        "kind": "cascade",
        "confidence": "mean_logprob",
        "threshold": threshold,
        "backbone": large,
        "experts": (small,),
        "rules": (RouteRule(cluster="*", expert=SMALL),),
        "signals": ("no_reply", "unreadable", "unknown_tool", "schema"),
        "suite": "toolcall",
        "suite_hash": "0" * 64,
        "certified": None,
    }
    return RoutePolicy.model_validate({**known, **changes})


def deploy(folder: Path, policy: RoutePolicy, urls: Mapping[str, str], control: RouteControl) -> tuple[str, ...]:
    """Writes the folder as do=route leaves it for models that are served at these addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / POLICY).write_text(policy.model_dump_json(indent=2), encoding="utf-8")
    write_control(folder, control)
    manifests = {}
    for name, url in urls.items():
        made = made_manifest(name, name, "native", None, "2026-11-22T00:00:00Z", "0" * 64)
        config = {"model": {"name": name, "url": url}, "backend": {"name": "endpoint"}}
        manifests[name] = made.model_copy(update={"config": config, "backend": None})
    return export_litellm(folder, policy, manifests)


@contextmanager
def proxy(folder: Path, *, wait_s: float = 240.0) -> Iterator[str]:
    """Runs `litellm --config FOLDER/litellm.yaml` on a free port of loopback; gives its address."""
    with tempfile.TemporaryFile() as log:
        command = [str(PROXY), "--config", str(folder / "litellm.yaml"), "--host", "127.0.0.1", "--port", "0"]
        environment = {**os.environ, **_ALONE}
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
        try:
            yield _address(process, log.fileno(), wait_s)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: "subprocess.Popen[bytes]", log: int, wait_s: float) -> str:
    until = time.monotonic() + wait_s
    while True:
        said = os.pread(log, 1 << 20, 0).decode(errors="replace")
        found = _STARTED.search(said)
        if found:
            return found[1]
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError(f"the proxy did not come up:\n{said[-4000:]}")
        time.sleep(0.2)
