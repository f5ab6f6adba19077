"""Recall, precision and speed of the PII detectors on the sets beside the checkout: python -m benchmarks.pii [--rules]

CPU time of this process, so a busy machine changes little. `unique`: each distinct message once; `as logged`: every
message of every call, as a log holds them, the history again and again.
"""

import argparse
import lzma
import time
from collections.abc import Callable, Sequence

import orjson

from harness.config.pii import PiiConfig
from harness.curate.pii.ner import ner_detector
from harness.curate.pii.rules import rules_detector
from harness.curate.pii.spans import Detector
from tests.support.pii_score import DATA, Rates, by_character, by_span, gold, synthetic


def messages(calls: int) -> list[str]:
    """The texts of the first calls of the real log, in order and repeated as logged."""
    texts = []
    with lzma.open(DATA / "sample500.jsonl.xz") as lines:
        for _, line in zip(range(calls), lines, strict=False):
            for message in orjson.loads(line)["request"]["messages"]:
                content = message.get("content")
                texts.append(content if isinstance(content, str) else orjson.dumps(content).decode())
    return texts


def timed(detector: Detector, texts: Sequence[str]) -> float:
    began = time.process_time()
    detector.find_all(texts)
    return time.process_time() - began


def told(title: str, rates: Rates) -> None:
    by_type = "  ".join(f"{kind} {rate:.3f}" for kind, rate in rates.by_type.items())
    print(f"{title}: recall {rates.recall:.3f} precision {rates.precision:.3f}\n    {by_type}")


def measure(name: str, make: Callable[[PiiConfig], Detector], calls: int) -> None:
    for title, config in (("all kinds", PiiConfig(kinds=("all",))), ("default kinds", PiiConfig())):
        for half in (None, 0, 1):
            rows = synthetic(half)
            part = {None: "all", 0: "even templates", 1: "odd templates"}[half]
            found = make(config).find_all([row["full_text"] for row in rows])
            told(f"{name}, {title}, bench set, {part}", by_character(rows, found))
    rows = gold()
    texts = [row["text"] for row in rows]
    detector: Detector = make(PiiConfig())
    seconds = timed(detector, texts)
    told(f"{name}, default kinds, agents' messages", by_span(rows, detector.find_all(texts)))
    megabytes = sum(map(len, texts)) / 1e6
    print(f"    {len(texts) / seconds:.0f} messages/s, {megabytes / seconds:.2f} MB/s, all distinct")
    logged = messages(calls)
    unique = list(dict.fromkeys(logged))
    for title, chosen in (("unique", unique), ("as logged", logged)):
        seconds = timed(make(PiiConfig()), chosen)
        speed = sum(map(len, chosen)) / 1e6 / seconds
        print(f"{name}, real log, {title}: {speed:.1f} MB/s, {len(chosen) / seconds:.0f} messages/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", action="store_true", help="without the model")
    parser.add_argument("--calls", type=int, default=200, help="of the real log")
    options = parser.parse_args()
    measure("rules", rules_detector, options.calls)
    if not options.rules:
        measure("with model", ner_detector, options.calls)
