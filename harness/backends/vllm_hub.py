"""A hub repository as a folder: its files fetched one by one into our cache, checked, and linked together."""

import os
from pathlib import Path, PurePosixPath

from harness.assets import OnProgress, cache_dir, fetch
from harness.assets.hub_ask import HubRefused, HubUnreachable, NoHub, hub_token, is_offline, list_repository
from harness.assets.progress import silent
from harness.assets.store import Store, folder_digest, key_of, writing
from harness.errors import AssetError
from harness.records.asset import HfAsset

__all__ = ["snapshot"]

_WANTED = {".safetensors", ".json", ".model", ".txt", ".jinja", ".tiktoken"}


def snapshot(
    repo: str, revision: str, *, cache: Path | None = None, on_progress: OnProgress | None = None
) -> tuple[Path, str, str]:
    """The folder with a repository's safetensors, configuration and tokenizer; its digest; and the commit.

    What the hub lists is asked once and remembered, so that a second run needs no network. Blocks while it fetches.
    Raises AssetError where the hub, the repository, the revision or safetensors in it cannot be had.
    """
    root = cache or cache_dir()
    store, ref = Store(root), key_of("hf-snapshot", repo, revision)
    seen = store.read_ref(ref)
    commit, files = str(seen.get("commit", "")), seen.get("files")
    if not commit or not isinstance(files, list):
        commit, files = _listed(repo, revision)
    found: dict[str, tuple[Path, str]] = {}
    for name in sorted(map(str, files)):
        got = fetch(HfAsset(repo=repo, file=name, revision=commit), cache=root, on_progress=on_progress)
        found[name] = (got.path, got.sha256)
    store.write_ref(ref, {"commit": commit, "files": list(files)})
    digest = folder_digest({name: sha256 for name, (_, sha256) in found.items()})
    place = root / "snapshots" / digest / repo.rsplit("/", 1)[-1]
    if not _whole(place, found):
        with store.lock(ref, repo, on_progress or silent):
            _link(root, place, found)
    return place, digest, commit


def _whole(place: Path, found: dict[str, tuple[Path, str]]) -> bool:
    return all((place / name).exists() for name in found)


def _link(root: Path, place: Path, found: dict[str, tuple[Path, str]]) -> None:
    with writing(root):
        place.mkdir(parents=True, exist_ok=True)
        for name, (path, _) in found.items():
            fresh = place / f".{name}.{os.getpid()}"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(path.resolve())
            fresh.replace(place / name)


def _listed(repo: str, revision: str) -> tuple[str, list[str]]:
    """The commit that a revision is, and the files at the top of the repository that an engine reads."""
    instead = "give a folder of your own: model.weights.path=/folder/with/config.json"
    if is_offline():
        raise AssetError(f"{repo} is not in the cache and HF_HUB_OFFLINE is set: unset it, or {instead}")
    try:
        commit, names = list_repository(repo, revision, hub_token())
    except HubRefused as error:
        if error.code == "RepoNotFound" or (error.status == 401 and not error.code):
            raise AssetError(
                f"the hub has no {repo}, or shows it to some only: correct model.weights.safetensors.repo, set "
                f"HF_TOKEN, or {instead}"
            ) from error
        raise AssetError(
            f"the hub answered HTTP {error.status} for {repo} at {revision}: correct model.weights.safetensors, set "
            f"HF_TOKEN if it is gated, or {instead}"
        ) from error
    except HubUnreachable as error:
        raise AssetError(
            f"{repo} is not in the cache and no model hub can be reached ({error}): {instead}; or set HF_ENDPOINT to "
            "a mirror"
        ) from error
    except NoHub as error:
        raise AssetError(f"what answers for {repo} is not a model hub: correct HF_ENDPOINT, or {instead}") from error
    wanted = [name for name in names if "/" not in name and PurePosixPath(name).suffix in _WANTED]
    if any(name.startswith("model") and name.endswith(".safetensors") for name in wanted):
        wanted = [name for name in wanted if not name.startswith("consolidated")]  # the same weights a second time
    if not any(name.endswith(".safetensors") for name in wanted) or "config.json" not in wanted:
        raise AssetError(f"{repo} has no safetensors with a config.json: choose another repository, or {instead}")
    return commit, wanted
