"""Results published folder by folder, and brought back.

Object stores know neither appends nor locks, which a journal needs: so runs are written on this machine, and published
when they have ended. Files lie in the store by their SHA-256 (`objects/`), so that none is ever overwritten and the
same one is there once; the list of a folder's files is written last, in one object. Whoever reads sees a folder whole
or not at all, also while it is published again.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.backends.blame import without_shapes
from harness.errors import DataError, RunFolderBusy
from harness.records.learning import LEARNING_CURVE
from harness.records.published import Published, PublishedFile
from harness.records.route import RouteControl
from harness.router.control import write_control
from harness.router.policy import INDEX, POLICY
from harness.store.runfolder import (
    ATTEMPTS,
    MANIFEST,
    PARQUET,
    SAMPLES,
    SCORES,
    SUMMARY,
    VERDICT,
    lock,
    point_latest,
    read_manifest,
)
from harness.stores.remote import Remote

__all__ = ["VERBS", "Moved", "publish", "pull"]

_OBJECTS: Final = "objects"
_RUN_FIGURES: Final = (MANIFEST, SUMMARY, "summary.md", VERDICT)
_RUN_TEXTS: Final = (ATTEMPTS, SCORES, SAMPLES, PARQUET)
VERBS: Final[dict[str, tuple[str, ...]]] = {
    "run": (*_RUN_FIGURES, *_RUN_TEXTS),
    "gate": ("gate.json", "gate.md", "junit.xml", "badge.json", "badge.svg"),
    "compare": ("compare.json", "compare.md"),
    "select": ("selection.json", "selection.md"),
    "audit": ("audit.json", "audit.md"),
    "load": ("load.json",),
    "quantize": ("frontier.json", "frontier.md", "plan.json"),
    "convert": ("ledger.json", "MODEL_CARD.md", LEARNING_CURVE),
    "route": (POLICY, INDEX, "simulation.json", "route.md", "simulated.jsonl", "litellm.yaml"),
    "monitor": ("monitor.json", "ledger.jsonl"),
    "iterate": ("iteration.json", "iterate.md"),
}
"""What is published of each kind of result. Weights are not: a ledger names them by their hashes. No program is
(`route_hook.py`), and nothing that opens a policy to traffic (`control.json`)."""
_TEXTS: Final = {"run": _RUN_TEXTS, "compare": VERBS["compare"], "iterate": VERBS["iterate"]}
"""What holds words of calls."""
_PLAIN: Final = 8 << 20
"""Bytes up to which a file of figures is looked through for keys."""
_WORD: Final = re.compile(r"[A-Za-z0-9_*./?&=:%-]{16,}")
"""What may be a key, or an address with one. Keys have digits: `key_results_search` is the name of a tool."""
_ENDED: Final = frozenset({"complete", "settled", "stopped", "failed"})


@dataclass(slots=True)
class Moved:
    """What was done."""

    moved: list[str] = field(default_factory=list)
    """Folders that are there now, as `verb/name`."""
    unchanged: int = 0
    left: list[str] = field(default_factory=list)
    """Folders that were left alone, with the reason."""
    bytes: int = 0


def publish(results: Path, remote: Remote, only: Sequence[str] = (), *, texts: bool = True) -> Moved:
    """Publishes result folders that have ended; those that are there as they are cost one small read.

    only: names of run folders, or of others as `verb/name`; none: everything under `results`. texts: whether journals
    go along. Raises DataError for a name that is no result folder, BackendError where the store refuses.
    """
    done = Moved()
    for verb, folder in _chosen(results, only):
        name = f"{verb}/{folder.name}"
        try:
            if verb == "run":
                with lock(folder):
                    _publish(verb, folder, remote, done, texts=texts)
            else:
                _publish(verb, folder, remote, done, texts=texts)
        except (RunFolderBusy, _NotYet) as error:
            why = "it is running" if isinstance(error, RunFolderBusy) else str(error)
            done.left.append(f"{name}: {why}")
    return done


class _NotYet(DataError):
    """A folder that has not ended."""


def _chosen(results: Path, only: Sequence[str]) -> Iterator[tuple[str, Path]]:
    if only:
        for name in only:
            yield _one(results, name)
        return
    for verb in VERBS:
        base = results / verb
        inside = sorted(base.iterdir()) if base.is_dir() else []
        yield from ((verb, one) for one in inside if one.is_dir() and not one.is_symlink())


def _one(results: Path, name: str) -> tuple[str, Path]:
    """The verb and the folder of a name. Raises DataError where it is none."""
    verb, _, inside = name.partition("/")
    if verb in VERBS and verb != "run" and inside:
        other = (results / verb / inside).resolve()
        if other.is_dir() and other.parent == (results / verb).resolve():
            return verb, other
    places = (Path(name), results / "run" / name.removeprefix("run/"))
    folder = next((one for one in places if (one / MANIFEST).is_file()), None)
    if folder is None:
        raise DataError(
            f"{name} is no run folder, no name of one in {results / 'run'}, and no other result; those are named with "
            f"their verb, as gate/NAME: {', '.join(one for one in VERBS if one != 'run')}"
        )
    return "run", folder.resolve()


def _publish(verb: str, folder: Path, remote: Remote, done: Moved, *, texts: bool) -> None:
    if verb == "run":
        status = read_manifest(folder).status if (folder / MANIFEST).is_file() else "no run"
        if status not in _ENDED or not (folder / SUMMARY).is_file():
            raise _NotYet(f"it is {status}, and not at its end")
    hidden = () if texts else _TEXTS.get(verb, ())
    files = [folder / name for name in VERBS[verb] if (folder / name).is_file() and name not in hidden]
    if not files:
        raise _NotYet("it has nothing to publish" if texts else "all of it holds texts (report.samples=false)")
    for file in files:
        if file.name not in _TEXTS.get(verb, ()) and _holds_key(file):
            raise _NotYet(f"{file.name} holds what looks like a key; take it out, and make the result anew")
    index = Published(verb=verb, name=folder.name, texts=texts, files=tuple(_listed(one) for one in files))
    data = index.model_dump_json(indent=2).encode() + b"\n"
    listed = f"{folder.name}.json"
    if remote.size(verb, listed) == len(data) and remote.read(verb, listed) == data:
        done.unchanged += 1
        return
    for file, one in zip(files, index.files, strict=True):
        if remote.size(_OBJECTS, one.sha256) != one.bytes:
            remote.upload(file, _OBJECTS, one.sha256)
            done.bytes += one.bytes
    remote.write(data, verb, listed)
    done.moved.append(f"{verb}/{folder.name}")


def _holds_key(file: Path) -> bool:
    """Whether a file of figures holds what looks like a key. Words of calls are masked where logs are read."""
    if file.suffix == ".npz" or file.stat().st_size > _PLAIN:
        return False
    words = _WORD.findall(file.read_text(encoding="utf-8", errors="replace"))
    return any(sum(map(str.isdigit, one)) > 1 and without_shapes(one) != one for one in set(words))


def _listed(file: Path) -> PublishedFile:
    return PublishedFile(name=file.name, sha256=_digest(file), bytes=file.stat().st_size)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def pull(results: Path, remote: Remote, only: Sequence[str] = ()) -> Moved:
    """Brings published folders under `results`, each whole; files that are there with the same hash are not fetched.

    only: names of runs, or of others as `verb/name`; none: everything. A folder of this machine that differs is left
    alone and named. Raises DataError where there is nothing, a name is not there, or a file is not what its hash says.
    """
    done = Moved()
    asked = [_asked(name) for name in only]
    verbs = dict.fromkeys(verb for verb, _ in asked) if asked else VERBS
    wanted = [(verb, name) for verb in verbs for name in remote.names(verb, ".json")]
    there = {(verb, name.removesuffix(".json")) for verb, name in wanted}
    missing = [one for one in asked if one not in there]
    if missing or not wanted:
        newest = (
            ", ".join(f"{verb}/{name}" if verb != "run" else name for verb, name in sorted(there)[-3:]) or "nothing"
        )
        what = f"{' '.join(missing[0])} is not published" if missing else "nothing is published"
        raise DataError(f"{what} in {remote.url}; there: {newest}; publish with do=publish remote.url={remote.url}")
    for verb, listed in wanted:
        if asked and (verb, listed.removesuffix(".json")) not in asked:
            continue
        index = _read_index(remote, verb, listed)
        _pull(index, results / verb, remote, done)
    _newest(results)
    return done


def _asked(name: str) -> tuple[str, str]:
    """The verb and the folder that a name is of: `verb/name`, else a run's."""
    verb, _, inside = name.partition("/")
    return (verb, inside) if inside and verb in VERBS else ("run", name)


def _read_index(remote: Remote, verb: str, listed: str) -> Published:
    try:
        index = Published.model_validate_json(remote.read(verb, listed))
    except ValidationError:
        raise DataError(f"{remote.url}/{verb}/{listed} is no list of a published folder; remove it there") from None
    allowed = {one.name for one in index.files} <= set(VERBS[verb])
    if (index.verb, f"{index.name}.json") != (verb, listed) or not allowed:
        raise DataError(f"{remote.url}/{verb}/{listed} lists what does not belong to it; remove it there")
    return index


def _pull(index: Published, base: Path, remote: Remote, done: Moved) -> None:
    target, name = base / index.name, f"{index.verb}/{index.name}"
    if target.exists():
        same = all((target / one.name).is_file() and _digest(target / one.name) == one.sha256 for one in index.files)
        if same:
            done.unchanged += 1
        else:
            done.left.append(f"{name}: the folder here differs; move it away, or publish it")
        return
    draft = base / f".{index.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        for one in index.files:
            if remote.download(draft / one.name, _OBJECTS, one.sha256) != one.sha256:
                raise DataError(
                    f"{remote.url}/{_OBJECTS}/{one.sha256} is not what its name says: it was changed or cut; publish "
                    f"{name} again, after removing it there"
                )
            done.bytes += one.bytes
        if index.verb == "route":  # whatever the other machine lets it do: here it opens nothing to traffic
            write_control(draft, RouteControl(mode="shadow"))
        draft.rename(target)
    except OSError as error:
        raise DataError(f"{target} cannot be written ({error.strerror}); choose another: paths.results=…") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    done.moved.append(name)


def _newest(results: Path) -> None:
    base = results / "run"
    if base.is_dir() and not (base / "latest").exists():
        runs = sorted(one for one in base.iterdir() if (one / MANIFEST).is_file())
        if runs:
            point_latest(runs[-1])
