"""The explorer's data read back as the page's script does it: list and parts joined."""

import json
import re
from pathlib import Path
from typing import Any

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
_SCRIPT = re.compile(r"JSON\.parse\(String\.raw`(.*)`\)\}\)\);\n", re.DOTALL)


def embedded(page: str) -> dict[str, Any]:
    """The data of a page whose texts are all inside, joined: `texts`, `samples`, and `runs` with their `rows`."""
    found = _DATA.search(page)
    assert found
    return joined(found.group(1))


def joined(text: str) -> dict[str, Any]:
    """The same of the data alone."""
    data = json.loads(text)
    return _joined(data, data["parts"])


def beside(page: Path) -> dict[str, Any]:
    """The data of a page that has files beside it."""
    found = _DATA.search(page.read_text(encoding="utf-8"))
    assert found
    data = json.loads(found.group(1))
    parts = []
    for first, last, name, size in data["files"]:
        raw = (page.parent / data["folder"] / name).read_bytes()
        assert len(raw) == size
        script = _SCRIPT.search(raw.decode())
        assert script
        parts.append([first, last, json.loads(script.group(1))])
    return _joined(data, parts)


def _joined(data: dict[str, Any], parts: list[Any]) -> dict[str, Any]:
    assert len(parts) == 1, "texts are numbered within their part"
    samples: dict[int, Any] = {}
    rows: dict[tuple[int, int], Any] = {}
    for first, _, body in parts:
        samples |= {first + place: one for place, one in enumerate(body["samples"])}
        rows |= {(lane, number): row for lane, number, row in body["rows"]}
    runs = []
    for lane, run in enumerate(data["runs"]):
        order = data["orders"][run["order"]]
        places = order.get("s") or [order["from"] + step for step in range(order["n"])]
        trials = order.get("t") or [0] * len(places)
        found = [
            {**rows.get((lane, number), {}), "s": place, "t": trial}
            for number, (place, trial) in enumerate(zip(places, trials, strict=True))
        ]
        runs.append({**run, "rows": found})
    texts = [text for _, _, body in parts for text in body["texts"]]
    return {**data, "texts": texts, "samples": [samples[place] for place in range(len(data["samples"]))], "runs": runs}
