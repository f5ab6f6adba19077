"""What pip's output becomes for a user."""

import pytest

from harness.assets.pip_errors import explain

OFFLINE = """WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError(...)': /simple/p/
ERROR: Could not find a version that satisfies the requirement p==1.0 (from versions: none)
ERROR: No matching distribution found for p==1.0"""
VERSIONS = """ERROR: Could not find a version that satisfies the requirement p==9 (from versions: 1.0, 1.1)
ERROR: No matching distribution found for p==9"""
OTHER = "ERROR: 403 Client Error: Forbidden for url: https://me:key@index.example/simple/p/\n"


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (OFFLINE, "no network: pip reached no package index for p==1.0"),
        (VERSIONS, "versions there: 1.0, 1.1"),
        ("ERROR: No matching distribution found for p==1.0", "unknown name, no wheel for this Python"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "no room left while pip fetched p==1.0"),
        ("ERROR: [Errno 13] Permission denied: 'x'", "not allowed to write"),
        ("/usr/bin/python: No module named pip", "python -m ensurepip"),
        (OTHER, "403 Client Error: Forbidden for url: (address)"),
        ("", "no output"),
    ],
)
def test_failure_is_one_line_with_advice_and_without_addresses(log: str, says: str) -> None:
    line = explain(log, ("p==1.0",), "model.weights")

    assert says in line
    assert "\n" not in line
    assert "key" not in line
    assert "example" not in line


def test_for_the_embedding_no_key_is_named_that_does_not_exist() -> None:
    line = explain("ERROR: [Errno -3] Temporary failure in name resolution", ("p==1.0",), "embedding")

    assert "embedding.path" not in line
    assert "cluster.embedding=tfidf" in line
