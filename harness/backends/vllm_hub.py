"""A hub repository as a folder: its files fetched one by one into our cache, checked, and linked together."""

import os
from pathlib import Path, PurePosixPath

from harness.assets import OnProgress, cache_dir, fetch
from harness.assets.progress import silent
from harness.assets.store import Store, folder_digest, key_of, writing
from harness.errors import AssetError
from harness.records.asset import HfAsset

__all__ = ["snapshot"]

_WANTED = {".safetensors", ".json", ".model", ".txt", ".jinja", ".tiktoken"}
_TIMEOUT_S = 10.0


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
    from huggingface_hub import HfApi  # heavy: 0.5 s
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    instead = "give a folder of your own: model.weights.path=/folder/with/config.json"
    request_error: type[Exception] = next(one for one in HfHubHTTPError.__mro__ if one.__name__ == "HTTPError")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise AssetError(f"{repo} is not in the cache and HF_HUB_OFFLINE is set: unset it, or {instead}")
    try:
        api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
        info = api.model_info(repo, revision=revision, timeout=_TIMEOUT_S)
    except RepositoryNotFoundError as error:
        raise AssetError(
            f"the hub has no {repo}, or shows it to some only: correct model.weights.safetensors.repo, set HF_TOKEN, "
            f"or {instead}"
        ) from error
    except HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", 0)
        raise AssetError(
            f"the hub answered HTTP {status} for {repo} at {revision}: correct model.weights.safetensors, set HF_TOKEN "
            f"if it is gated, or {instead}"
        ) from error
    except (OfflineModeIsEnabled, OSError, request_error) as error:
        raise AssetError(
            f"{repo} is not in the cache and no model hub can be reached ({type(error).__name__}): {instead}; or set "
            "HF_ENDPOINT to a mirror"
        ) from error
    names = [str(one.rfilename) for one in info.siblings or ()]
    wanted = [name for name in names if "/" not in name and PurePosixPath(name).suffix in _WANTED]
    if any(name.startswith("model") and name.endswith(".safetensors") for name in wanted):
        wanted = [name for name in wanted if not name.startswith("consolidated")]  # the same weights a second time
    if not any(name.endswith(".safetensors") for name in wanted) or "config.json" not in wanted:
        raise AssetError(f"{repo} has no safetensors with a config.json: choose another repository, or {instead}")
    if info.sha is None:
        raise AssetError(f"what answers for {repo} is not a model hub: correct HF_ENDPOINT, or {instead}")
    return info.sha, wanted
