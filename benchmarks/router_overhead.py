"""Time that the router adds to a call: `python -m benchmarks.router_overhead [CALLS.jsonl]`.

Models that answer at once, so that all time is the router's: reading the request, placing it, scoring, checking the
reply, deciding, handing over to the log. One call after the other on one loop. Calls: logged requests (JSON lines, also
.xz) with a field `request`; without a file, BFCL's questions. Five policies: the backbone alone (`off`), a cascade by
form, a boosted score of the request, one of the reply too, and tasks by an index with the built-in embedding, whose
texts are embedded anew for each call (`index`) or known already (`index, text known`).
"""

import argparse
import asyncio
import json
import lzma
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from harness import __version__
from harness.records.route import ModelTarget, RouteControl, RoutePolicy, RouteRule, TreeNode, TreeScore
from harness.router import Router
from harness.router.control import write_control
from harness.router.features import REPLY_FEATURES, REQUEST_FEATURES
from harness.router.indexing import build_index
from harness.router.nearest import EMBEDDING
from harness.router.placing import built_in
from harness.router.question import question_of
from harness.toolcalling.encode import PromptOptions, encode

Json = dict[str, Any]
SIGNALS: Final = ("no_reply", "cut_off", "unreadable", "unknown_tool", "schema")
_ASKED: Final = 500


def requests_of(path: Path | None) -> list[Json]:
    """The requests of a log, or BFCL's."""
    if path is None:
        from benchmarks.material import pick

        asked = [encode(one, "native", PromptOptions()) for one in pick(_ASKED)]
        return [{"model": "m", "messages": one.messages, "tools": one.tools} for one in asked]
    with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
        return [orjson.loads(line)["request"] for _, line in zip(range(_ASKED), file, strict=False)]


def reply_to(request: Json) -> Json:
    """A reply that keeps to the form: a call of the first tool without arguments, or words."""
    tools = request.get("tools") or []
    call = {"id": "c", "type": "function", "function": {"name": "", "arguments": "{}"}}
    message: Json = {"role": "assistant", "content": None if tools else "Done."}
    if tools:
        call["function"]["name"] = tools[0].get("function", tools[0])["name"]  # type: ignore[index]
        message["tool_calls"] = [call]
    logprobs = {"content": [{"token": "x", "logprob": -0.1}] * 40}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs}
    return {"id": "r", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}


def trees(names: Sequence[str]) -> TreeScore:
    """A hundred trees of eight leaves, the size that scikit-learn makes by default for small data."""
    draw = np.random.default_rng(0)

    def tree() -> tuple[TreeNode, ...]:
        inner = [
            TreeNode(feature=int(draw.integers(len(names))), at=float(draw.normal()), left=2 * k + 1, right=2 * k + 2)
            for k in range(7)
        ]
        return (*inner, *(TreeNode(value=float(draw.normal()) / 50) for _ in range(8)))

    return TreeScore(features=tuple(names), trees=tuple(tree() for _ in range(100)), bias=1.0)


def policy(**more: Any) -> RoutePolicy:
    """A policy with one expert."""
    small, large = (
        ModelTarget(name=name, run=name, model=name, protocol="native", label=name) for name in ("small", "large")
    )
    given: Json = {
        "name": "bench",
        "made_at": "",
        "harness": __version__,
        "kind": "cascade",
        "confidence": "form",
        "threshold": 0.0,
        "backbone": large,
        "experts": (small,),
        "rules": (RouteRule(cluster="*", expert="small"),),
        "signals": SIGNALS,
        "suite": "",
        "suite_hash": "",
        "certified": None,
    }
    return RoutePolicy(**{**given, **more})


async def measured(folder: Path, asked: Sequence[Json], again: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds of each call by the clock and of the processor, shape (n, 2). again: they were made once before."""
    answers = {id(one): reply_to(one) for one in asked}
    now: list[Json] = []

    async def model(_: Json) -> Json:
        return now[0]

    router = Router(folder, {"small": model, "large": model}, log=folder / "log")
    took: list[tuple[float, float]] = []
    for turn in range(2 if again else 1):
        took = []
        for one in asked:
            now[:] = [answers[id(one)]]
            started, worked = time.perf_counter(), time.process_time()
            await router.acompletion(one)
            took.append((time.perf_counter() - started, time.process_time() - worked))
            await asyncio.sleep(0)
        del turn
    await router.aclose()
    return np.array(took)


def _indexed(folder: Path, asked: Sequence[Json]) -> RoutePolicy:
    """Tasks: instruction and number of tools, 12 parts each, so that an index of about 100 tasks is searched."""
    questions = [question_of(each) for each in asked]
    names = [f"{len(each.tools)}.{place % 12}" for place, each in enumerate(questions)]
    index = build_index(questions, names, built_in(), EMBEDDING)
    print(f"index: {len(index.head.clusters)} tasks in {len(index.head.nodes)} nodes")
    rules = tuple(RouteRule(cluster=name, expert="small", sure=1.0) for name in sorted(set(index.head.clusters)))
    return policy(kind="hybrid", index=index.save(folder / "index.npz"), rules=rules)


def main() -> None:
    """Prints a line for each policy, and all of it as JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", nargs="?", type=Path)
    parser.add_argument("--most", type=int, default=_ASKED)
    told = parser.parse_args()
    asked = requests_of(told.calls)[: told.most]
    both = (*REQUEST_FEATURES, *REPLY_FEATURES)
    found: Json = {"calls": len(asked), "cpu": platform.processor(), "load": os.getloadavg()}
    print("milliseconds by the clock (of the processor)")
    print(f"{len(asked)} calls, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as made:
        cases: dict[str, tuple[RoutePolicy | None, RouteControl, bool]] = {
            "off": (policy(), RouteControl(mode="off"), False),
            "cascade": (policy(), RouteControl(mode="on"), False),
            "score": (
                policy(confidence="request_score", score=trees(REQUEST_FEATURES)), RouteControl(mode="on"), False,
            ),
            "reply score": (policy(confidence="reply_score", score=trees(both)), RouteControl(mode="on"), False),
            "index": (None, RouteControl(mode="on"), False),
            "index, text known": (None, RouteControl(mode="on"), True),
        }  # fmt: skip
        for name, (rule, control, again) in cases.items():
            folder = Path(made) / name.replace(", ", "-")
            folder.mkdir()
            rule = rule or _indexed(folder, asked)
            (folder / "policy.json").write_text(rule.model_dump_json())
            write_control(folder, control)
            took = asyncio.run(measured(folder, asked, again)) * 1e3
            p50, p95, most = (np.quantile(took, at, axis=0).tolist() for at in (0.5, 0.95, 1.0))
            found[name] = {"p50_ms": p50, "p95_ms": p95, "most_ms": most}
            shown = "  ".join(f"{what} {one[0]:8.3f} ({one[1]:.3f})" for what, one in (("p50", p50), ("p95", p95)))
            print(f"{name:20} {shown}  most {most[0]:8.3f} ms")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
