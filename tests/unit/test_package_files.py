"""What is around the code says the same as the code: versions, extras, locked files, release workflow, container."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness import __version__
from harness.errors import _EXTRA_OF

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)", re.MULTILINE)


def locked(name: str) -> dict[str, set[str]]:
    """Versions of each package of a locked file; two where they depend on the Python."""
    found: dict[str, set[str]] = {}
    for package, version in LOCKED.findall((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def wanted(*lines: str) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_version_is_one_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    assert PROJECT["version"] == __version__ == citation["version"]
    assert PROJECT["license"] == citation["license"]


def test_core_goes_without_what_extras_bring() -> None:
    heavy = {"pyarrow", "duckdb", "scikit-learn", "pandas", "matplotlib", "torch", "litellm", "huggingface-hub", "ray"}

    assert not heavy & locked("core").keys()
    assert wanted(*PROJECT["dependencies"]) <= locked("core").keys()


@pytest.mark.parametrize(("name", "extras"), [("logs", ["logs"]), ("nlp", ["logs", "nlp"]), ("suites", ["suites"])])
def test_locked_file_of_an_extra_holds_it_in_the_versions_of_the_rest(name: str, extras: list[str]) -> None:
    lines = [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]

    held, core = locked(name), locked("core")

    assert wanted(*lines) - {"slm-harness"} <= held.keys()
    assert {package: held[package] for package in core} == core


def test_every_package_of_the_core_is_hashed() -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements" / "core.txt").read_text(encoding="utf-8"))

    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_absent_modules_are_told_with_an_extra_that_brings_them() -> None:
    extras = PROJECT["optional-dependencies"]
    modules = {"re2": "google-re2", "sklearn": "scikit-learn", "google": "opentelemetry-proto"}
    modules |= {"opentelemetry": "opentelemetry-proto", "mlflow": "mlflow-skinny"}

    brought = {module: modules.get(module, module) in wanted(*extras[extra]) for module, extra in _EXTRA_OF.items()}

    assert all(brought.values()), brought


def test_page_tells_of_every_extra() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")

    assert [extra for extra in PROJECT["optional-dependencies"] if f"| `{extra}` |" not in page] == []


def steps() -> list[dict[str, Any]]:
    flow = yaml.safe_load(RELEASE.read_text(encoding="utf-8"))
    return [step for job in flow["jobs"].values() for step in job["steps"]]


def test_release_uses_actions_by_commit_and_names_their_release() -> None:
    used = re.findall(r"uses: (.+)", RELEASE.read_text(encoding="utf-8"))

    assert used
    assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one)] == []


def test_release_puts_no_expression_into_a_shell() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_only_publishing_may_write_and_no_secret_is_used() -> None:
    flow = yaml.safe_load(RELEASE.read_text(encoding="utf-8"))
    rights = {name: job["permissions"] for name, job in flow["jobs"].items()}

    assert flow["permissions"] == {}
    assert {name for name, own in rights.items() if "write" in own.values()} == {"publish"}
    assert "secrets." not in RELEASE.read_text(encoding="utf-8")


def test_container_does_not_run_as_root_and_copies_what_is_there() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]

    last = [line for line in lines if line.startswith("USER ")][-1]

    assert last == "USER 10001:10001"
    assert [one for names in copied for one in names if "$" not in one and not (ROOT / one).exists()] == []
    assert not any(line.startswith("ADD ") for line in lines)
