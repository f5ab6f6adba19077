"""The colours of the pages stay apart for readers who see no red or no green."""

import re
from itertools import combinations
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import harness.report

STATIC: Final = Path(harness.report.__file__).parent / "static"
MATRICES: Final = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
"""On linear RGB, severity 1.0. Source: Machado, Oliveira and Fernandes 2009, IEEE TVCG 15, table 1."""
LEAST: Final = 12.0
"""CIELAB distance; 2.3 is what is just noticed side by side (Mahy et al. 1994)."""
Scheme = Literal["light", "dark"]
Array = NDArray[np.float64]


def colours(text: str, names: list[str], scheme: Scheme) -> dict[str, str]:
    """The colour of each name: what stands after it in the style sheet, of the scheme where there are two."""
    found = {}
    for name in names:
        seen = re.search(rf"{re.escape(name)}[ :{{][^;}}#]*(?:light-dark\()?(#\w{{6}})(?:, (#\w{{6}})\))?", text)
        assert seen, f"{name} has no colour"
        found[name] = seen.group(2) if scheme == "dark" and seen.group(2) else seen.group(1)
    return found


def lab(colour: str, matrix: Array) -> Array:
    """CIELAB under D65 of a colour as it is seen through the matrix."""
    srgb = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(matrix @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    scaled = to_xyz @ seen / np.array([0.95047, 1.0, 1.08883])
    f = np.where(scaled > (6 / 29) ** 3, np.cbrt(scaled), scaled / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


SETS: Final = {
    "lines of a picture": ("figures.css", [f".q{number}" for number in range(8)]),
    "protocols": ("base.css", ["--prompted", "--constrained", "--native"]),
    "verdicts of a selection": ("select.css", [".share rect.replace", ".share rect.hybrid", ".share rect.keep"]),
    "right and wrong": ("explorer.css", [".v-exact", ".v-missed"]),
    "passes and fails": (
        "audit.css",
        [
            ".matrix td.pass { background: light-dark(#e4f3ea, #1d3a2e); border-left-color",
            ".matrix td.fail { background: light-dark(#fbeadb, #3d2a1c); border-left-color",
        ],
    ),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sight", sorted(MATRICES))
@pytest.mark.parametrize("name", sorted(SETS))
def test_colours_of_a_set_stay_apart(name: str, sight: str, scheme: Scheme) -> None:
    file, names = SETS[name]
    found = colours((STATIC / file).read_text(encoding="utf-8"), names, scheme)

    seen = {one: lab(colour, MATRICES[sight]) for one, colour in found.items()}

    near = {(a, b): float(np.linalg.norm(seen[a] - seen[b])) for a, b in combinations(seen, 2)}
    assert min(near.values()) >= LEAST, {pair: round(value, 1) for pair, value in near.items() if value < LEAST}
