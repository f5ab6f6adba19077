"""What an asset spec accepts, and what it says when it does not."""

import pytest
from pydantic import ValidationError

from harness.records.asset import ASSET_SPEC, HfAsset, PathAsset, PypiAsset, UrlAsset

SHA = "a" * 64
ONE = {"source": "pypi", "package": "p", "version": "1.0", "member": "p/x.gguf", "bytes": 3, "sha256": SHA}
PART = {"package": "p-part1", "version": "1.0", "member": "p/x.part0"}
JOINED = {"source": "pypi", "parts": [PART], "bytes": 3, "sha256": SHA}
MEMBER = {"member": "a/b.json", "bytes": 3, "sha256": SHA}
FOLDER = {"source": "pypi", "package": "p", "version": "1.0", "folder": "p/data", "members": [MEMBER]}


def _without(spec: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in spec.items() if key != name}


@pytest.mark.parametrize(
    ("spec", "kind", "name"),
    [
        ({"source": "hf", "repo": "o/r", "file": "q/x.gguf"}, HfAsset, "x.gguf"),
        (ONE, PypiAsset, "x.gguf"),
        (JOINED, PypiAsset, "x.part0"),
        ({**JOINED, "file": "x.gguf"}, PypiAsset, "x.gguf"),
        (FOLDER, PypiAsset, "data"),
        ({"source": "url", "url": "https://h/a%20b.gguf?k=1", "bytes": 3, "sha256": SHA}, UrlAsset, "a b.gguf"),
    ],
)
def test_spec_is_told_apart_by_source_and_names_its_file(spec: dict[str, object], kind: type, name: str) -> None:
    read = ASSET_SPEC.validate_python(spec)

    assert isinstance(read, kind)
    assert not isinstance(read, PathAsset)
    assert read.name == name


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({**ONE, "parts": [PART]}, "exactly one of member"),
        (_without(ONE, "member"), "seen: none of them"),
        ({**ONE, "sha256": "A" * 64}, "64 lower-case hexadecimal"),
        ({**ONE, "sha256": "a" * 63}, "this has 63 characters"),
        (_without(ONE, "bytes"), "also give bytes"),
        (_without(ONE, "version"), "also give version"),
        ({**ONE, "version": ">=1.0"}, "a version is exact"),
        ({**ONE, "package": "--index-url"}, "a package name has letters"),
        ({**ONE, "member": "../x"}, "without '..'"),
        ({**ONE, "file": "y"}, "joined from parts"),
        ({**JOINED, "package": "p"}, "each part names its own wheel"),
        ({**JOINED, "file": "a/b"}, "without a folder"),
        ({**FOLDER, "sha256": SHA}, "each member has its own"),
        ({**FOLDER, "members": [MEMBER, MEMBER]}, "given twice: a/b.json"),
        ({**ONE, "folder": "p"}, "it belongs to members"),
        ({"source": "url", "url": "file:///x", "bytes": 3, "sha256": SHA}, "scheme seen: 'file'"),
        ({"source": "url", "url": "https://u:p@h/x", "bytes": 3, "sha256": SHA}, "no user or password"),
        ({"source": "hf", "repo": "a/b/c", "file": "x"}, "owner/name"),
        ({"source": "hf", "repo": "a/b.git", "file": "x"}, "owner/name"),
        ({"source": "ftp"}, "'hf', 'pypi', 'url', 'path'"),
        ({"source": "url", "url": "https://h/x"}, "Field required"),
    ],
)
def test_spec_that_cannot_be_meant_is_refused_with_the_reason(spec: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ASSET_SPEC.validate_python(spec)

    assert says in str(refused.value)
