"""The router inside LiteLLM's proxy: does it decide as computed, and how much time does it take?

`python -m benchmarks.router_proxy` (after `make proxy-env`) starts two real models on loopback, asks the small one 500
questions itself, then puts the same 500 to the proxy, and holds each decision in the log against what the policy says
of the small model's own reply (`decisions`). Then two servers that answer at once stand in for the models, and calls
through the router take turns with calls of the same proxy to the same server by its own name: the difference
is all that the router and its provider take: `kept` by the small model, `off`, and `index`, where the task of each call
is found by the built-in embedding. Prints JSON; `--out FILE` writes it too.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np

from benchmarks.compare import ROOT
from harness.records.route import RouteControl, RouteDecision, RoutePolicy, RouteRule
from harness.router.decide import after, before, plan_of
from harness.router.question import question_of, reply_of
from tests.support.route_proxy import KEY, LARGE, PROXY, SMALL, deploy, policy_of, proxy, serving

WARM_UP = 20
THINGS = ["apple", "bread", "chair", "door", "egg", "fish", "glass", "hat", "ink", "jar", "key", "lamp", "map", "nail",
          "oil", "pen", "rope", "salt", "tent", "urn", "vase", "wall", "yarn", "zip", "boat"]  # fmt: skip
PLACES = ["house", "town", "river", "field", "market", "forest", "school", "harbour", "garden", "station", "mill",
          "castle", "farm", "bridge", "tower", "museum", "valley", "beach", "shop", "church"]  # fmt: skip
Json = dict[str, Any]
Ask = Callable[[Json], float]


def question(number: int) -> Json:
    """One of 500 different short questions."""
    thing, place = THINGS[number % len(THINGS)], PLACES[number // len(THINGS) % len(PLACES)]
    text = f"Is there a {thing} in the {place}? Answer in a word or two."
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 3, "temperature": 0}


@dataclass(frozen=True)
class Caller:
    """Calls over one connection, in seconds."""

    client: httpx.Client

    def ask(self, body: Json, model: str, session: str | None = None) -> float:
        """Seconds until the reply was there, whole or to its last chunk."""
        headers = {"x-litellm-session-id": session} if session else {}
        started = time.perf_counter()
        response = self.client.post("/v1/chat/completions", json={**body, "model": model}, headers=headers)
        took_s = time.perf_counter() - started
        response.raise_for_status()
        return took_s

    def first(self, body: Json, model: str) -> float:
        """Seconds until the first piece of a stream with words in it."""
        started = time.perf_counter()
        asked = {**body, "model": model, "stream": True}
        found = None
        with self.client.stream("POST", "/v1/chat/completions", json=asked) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if found is None and '"content":"' in line.replace('": "', '":"'):
                    found = time.perf_counter() - started
        assert found is not None
        return found


@contextmanager
def caller(url: str) -> Iterator[Caller]:
    """A client of the proxy."""
    with httpx.Client(base_url=url, timeout=300, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield Caller(client)


def decisions_in(folder: Path, count: int) -> dict[str, RouteDecision]:
    """The log's decisions by session, once so many are there."""
    until = time.monotonic() + 60
    while True:
        lines = [one for path in sorted(folder.glob("decisions-*.jsonl")) for one in path.read_text().splitlines()]
        if len(lines) >= count or time.monotonic() > until:
            found = [RouteDecision.model_validate_json(one) for one in lines]
            return {one.session or one.call: one for one in found}
        time.sleep(0.2)


def spread(values: list[float]) -> Json:
    """Milliseconds at the median and the 95th percentile."""
    p50, p95 = np.quantile(np.array(values) * 1e3, [0.5, 0.95])
    return {"n": len(values), "p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3)}


async def decisions(folder: Path, calls: int) -> Json:
    """What the proxy decides on real models, against what the policy says of the small one's own replies."""
    async with serving(SMALL, LARGE) as served:
        urls = {name: one.endpoint.base_url for name, one in served.items()}
        return await asyncio.to_thread(_decisions, folder, urls, calls)


def _decisions(folder: Path, urls: dict[str, str], calls: int) -> Json:
    asked = [question(number) for number in range(calls)]
    with httpx.Client(timeout=300) as client:
        logged = {"model": SMALL, "logprobs": True}
        direct = [client.post(f"{urls[SMALL]}/chat/completions", json={**one, **logged}).json() for one in asked]
    threshold = median(_sureness(one) for one in direct)
    policy = policy_of(threshold)
    deploy(folder, policy, urls, RouteControl(mode="on", sticky=False))
    with proxy(folder) as url, caller(url) as agent:
        took = [agent.ask(one, "agents", f"s{number}") for number, one in enumerate(asked)]
        found = decisions_in(folder / "calls", calls)
    plan, same, kept = plan_of(policy), 0, 0
    for number, (body, response) in enumerate(zip(asked, direct, strict=True)):
        put = question_of(body)
        verdict = after(plan, before(plan, put), put, [reply_of(response)])
        logged_one = found[f"s{number}"]
        same += (logged_one.reason, logged_one.model) == (verdict.reason, SMALL if verdict.kept else LARGE)
        kept += verdict.kept
    return {
        "calls": calls,
        "as_computed": same,
        "kept": kept,
        "router": spread([one.router_s for one in found.values()]),
        "call": spread(took),
    }


def _sureness(response: Json) -> float:
    reply = reply_of(response)
    assert reply is not None
    assert reply.certainty is not None
    return reply.certainty.mean_logprob


@contextmanager
def instant() -> Iterator[str]:
    """A server that answers at once; gives its address."""
    command = [sys.executable, "-m", "benchmarks.loopback_server", "--chunks", "4"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            with contextlib.suppress(OSError):
                server.stdin.close()


def turns(pairs: int, routed: Ask, plain: Ask) -> Json:
    """Both ways in turn, A B B A, on other questions each time: each one's spread, and that of the differences."""
    for number in range(WARM_UP):
        routed(question(number))
        plain(question(number))
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(pairs):
        order = ((ours, routed), (theirs, plain)) if number % 2 else ((theirs, plain), (ours, routed))
        for kept, ask in order:
            kept.append(ask(question(WARM_UP + number)))
    gaps = [one - other for one, other in zip(ours, theirs, strict=True)]
    return {"routed": spread(ours), "plain": spread(theirs), "difference": spread(gaps)}


def added(folder: Path, pairs: int, policy: RoutePolicy, mode: str) -> Json:
    """What the router adds to a call of the proxy, whole and to a stream's first words."""
    control = RouteControl.model_validate({"mode": mode, "sticky": False})
    plain = LARGE if mode == "off" else SMALL
    with ExitStack() as stack:
        urls = {name: stack.enter_context(instant()) for name in (SMALL, LARGE)}
        deploy(folder, policy, urls, control)
        agent = stack.enter_context(caller(stack.enter_context(proxy(folder))))
        whole = turns(pairs, lambda body: agent.ask(body, "agents"), lambda body: agent.ask(body, plain))
        stream = turns(pairs, lambda body: agent.first(body, "agents"), lambda body: agent.first(body, plain))
        found = list(decisions_in(folder / "calls", 2 * (pairs + WARM_UP)).values())
    models = {one.model for one in found}
    assert plain in models, models
    assert policy.index is not None or models == {plain}, models  # with an index, strange questions go elsewhere
    router = [one.router_s for one in found[WARM_UP : WARM_UP + pairs]]
    return {"whole": whole, "first_words": stream, "router": spread(router)}


def with_index(folder: Path) -> RoutePolicy:
    """A policy that asks for the task of each call, by the built-in embedding."""
    from harness.router.indexing import build_index
    from harness.router.nearest import EMBEDDING
    from harness.router.placing import built_in
    from harness.router.policy import INDEX

    asked = [question(number) for number in range(100)]
    digest = build_index([question_of(body) for body in asked], ["things"] * len(asked), built_in(), EMBEDDING).save(
        folder / INDEX
    )
    rules = (RouteRule(cluster="things", expert=SMALL, sure=0.0),)
    changes = {"kind": "cluster", "confidence": "cluster", "rules": rules, "signals": ()}
    return policy_of(-1.0, **changes, index=digest, embedding=EMBEDDING)


def main() -> None:
    """Runs all parts and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if not PROXY.is_file():
        parser.error("there is no .venv-proxy here; type: make proxy-env")
    load = round(os.getloadavg()[0], 1)
    checked = policy_of(1.0, confidence="form")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        (folder / "index").mkdir()
        found: Json = {"machine": {"cores": os.cpu_count(), "system": platform.platform(), "load_before": load}}
        if arguments.calls:
            found["decisions"] = asyncio.run(decisions(folder / "real", arguments.calls))
            sys.stderr.write(json.dumps(found) + "\n")
        parts = {"kept": (checked, "on"), "off": (checked, "off"), "index": (with_index(folder / "index"), "on")}
        for name, (policy, mode) in parts.items():
            found[name] = added(folder / name, arguments.pairs, policy, mode)
            sys.stderr.write(json.dumps({name: found[name]}) + "\n")
    found["machine"]["load_after"] = round(os.getloadavg()[0], 1)
    text = json.dumps(found, indent=2)
    sys.stdout.write(text + "\n")
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
