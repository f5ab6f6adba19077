"""`do=forget`: calls deleted from the store, and on request from what was made of them."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from harness.config import ForgetConfig
from harness.errors import ConfigError
from harness.logs.store import Forgotten, LogStore, store_key
from harness.logs.store.graves import Graves
from harness.store.mending import Gone
from harness.verbs.forget_also import Derived, check_places, find_derived, mend_derived

__all__ = ["main"]


def main(configs: Sequence[ForgetConfig]) -> None:
    """Deletes, and prints how much. Raises ConfigError unless exactly one choice is made, DataError for no store."""
    (config,) = configs
    before = _before(config)
    if sum(one is not None for one in (config.session, config.user, before)) != 1:
        raise ConfigError(
            "choose what is to be forgotten, one of: session=…, user=…, before=2026-01-31, store.keep_days=90"
        )
    if config.lift and config.also:
        raise ConfigError("lift=true takes calls in again and also=true takes them out; type one of them")
    check_places(config.also_in)
    key = store_key(config.store.key_env, config.store.key_file)
    with LogStore.open(Path(config.store.path), key=key, reader="do=forget") as store:
        if config.lift:
            _lift(store, config, before)
            return
        aged = config.before is None and before is not None
        gone = store.forget(session=config.session, user=config.user, before=before, for_good=not aged)
        graves = store.graves()
    _show(gone, aged=aged)
    _also(config, _gone(graves, config, before))


def _lift(store: LogStore, config: ForgetConfig, before: float | None) -> None:
    if store.lift(session=config.session, user=config.user, before=before):
        _say("lifted: the next do=collect reads all logs again and takes these calls in")
    else:
        _say("nothing to lift: nothing of that name or age was forgotten for good")


def _show(gone: Forgotten, *, aged: bool) -> None:
    if gone == Forgotten():
        _say("nothing forgotten: no call or quarantined entry is of that name or age")
        return
    _say(
        f"forgot {gone.calls:,} calls, {gone.contents:,} messages and tool lists that no other call has, "
        f"{gone.quarantined:,} quarantined entries; {gone.files:,} files written anew"
    )
    if not aged:
        _say("a later do=collect leaves them out; the same command with lift=true lets them in again")


def _gone(graves: Graves, config: ForgetConfig, before: float | None) -> Gone:
    """Which calls are meant, in what was made of them: also those that an earlier command took out of the store."""
    if before is not None:
        return lambda _, at: at is not None and at < before
    what, name = ("session", config.session) if config.session is not None else ("user", config.user)
    calls = graves.calls(what, str(name))
    return lambda record, _: graves.hashed(record) in calls


def _also(config: ForgetConfig, gone: Gone) -> None:
    """Names what else holds these calls, and mends it where that is asked for."""
    found = find_derived(config.also_in, gone)
    if not found:
        return
    if config.also:
        for line in mend_derived(found, gone):
            _say(line)
    else:
        for line in _held(found):
            _say(line)
        _say("the same command with also=true takes them out there")
    if found.runs:
        shown = " ".join(str(one) for one in found.runs[:8])
        more = f" and {len(found.runs) - 8} more" if len(found.runs) > 8 else ""
        _say(
            "runs of these suites keep prompts and replies, and so do the pages and tables made of them: remove "
            f"these runs and what lies in reports/, then make it anew with do=report: {shown}{more}"
        )


def _held(found: Derived) -> list[str]:
    return [
        *(f"still in {folder}: {len(held.calls):,} calls" for folder, held in found.curated.items()),
        *(f"still in {folder}: {calls:,} calls" for folder, calls in found.clusters.items()),
        *(f"still in {folder}: {len(samples):,} samples" for folder, samples in found.suites.items()),
        *(f"still in {page}, perhaps" for page in found.pages),
    ]


def _say(line: str) -> None:
    Console().print(line, highlight=False, soft_wrap=True, markup=False)


def _before(config: ForgetConfig) -> float | None:
    """The time before which calls go, in seconds since the epoch."""
    if config.before is None:
        chosen = config.session is not None or config.user is not None
        return None if config.store.keep_days is None or chosen else time.time() - config.store.keep_days * 86400
    try:
        at = datetime.fromisoformat(config.before)
    except ValueError:
        raise ConfigError(f"before={config.before} is no date; type it as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
