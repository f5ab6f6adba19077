"""Writes answers of a made-up small model to a suite from logs: the log's own, but for one in N, which says only words.

    python scenes/answers.py suites/support_v1 small.jsonl --wrong 10

Which ones are wrong hangs on the samples' ids alone, so the same suite gets the same answers.
"""

import argparse
import hashlib
import json
from pathlib import Path


def main() -> None:
    """Reads `incumbent.jsonl` of the suite and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--wrong", type=int, default=10, help="one answer in so many is wrong")
    asked = parser.parse_args()
    with (
        (asked.suite / "incumbent.jsonl").open(encoding="utf-8") as lines,
        asked.out.open("w", encoding="utf-8") as out,
    ):
        for line in lines:
            answer = json.loads(line)
            wrong = int(hashlib.sha256(answer["id"].encode()).hexdigest(), 16) % asked.wrong == 0
            reply = {"content": "One moment, please.", "tool_calls": []} if wrong else answer["reply"]
            out.write(json.dumps({"id": answer["id"], "model": "made-up-small", **reply, "latency_s": 0.4}) + "\n")


if __name__ == "__main__":
    main()
