"""Wheel and sdist: what is in them, and that they work in an empty environment, outside the checkout."""

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from harness import __version__

ROOT = Path(__file__).resolve().parents[2]
PLACES = {"harness": "harness", "conf": "harness/_data/conf", "suites": "harness/_data/suites"}
"""Folders of the checkout, each with its place in the wheel."""

pytestmark = pytest.mark.slow


def build(source: Path, into: Path, *targets: str) -> None:
    words = [word for target in targets for word in ("-t", target)]
    subprocess.run([sys.executable, "-m", "hatchling", "build", *words, "-d", str(into)], cwd=source, check=True)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder, "sdist", "wheel")
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(archive.read(f"slm_harness-{__version__}.dist-info/METADATA"))


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    wanted = {
        f"{place}/{file.relative_to(ROOT / folder)}"
        for folder, place in PLACES.items()
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.startswith(f"slm_harness-{__version__}.dist-info/")}

    assert held == wanted
    assert "harness/py.typed" in held


def test_sdist_makes_the_same_wheel(dist: Path, wheel: Path, tmp_path: Path) -> None:
    (packed,) = dist.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")

    build(tmp_path / f"slm_harness-{__version__}", tmp_path / "again", "wheel")

    assert (tmp_path / "again" / wheel.name).read_bytes() == wheel.read_bytes()


def test_metadata_name_the_licence_the_pythons_and_the_extras(wheel: Path) -> None:
    told = metadata(wheel)

    assert (told["Name"], told["Version"], told["License-Expression"]) == ("slm-harness", __version__, "Apache-2.0")
    assert told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown"
    assert {"logs", "suites", "train"} <= set(told.get_all("Provides-Extra", []))


def test_wheel_works_in_an_empty_environment_and_takes_less_than_400_mb(wheel: Path) -> None:
    line = [sys.executable, str(ROOT / "ci" / "extras.py"), "--wheel", str(wheel), "core"]

    done = subprocess.run(line, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    (size,) = re.findall(r"core +ok +(\d+) MB", done.stdout)
    assert int(size) < 400
