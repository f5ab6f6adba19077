"""`do=forget`: calls deleted from the store."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from harness.config import ForgetConfig
from harness.errors import ConfigError
from harness.logs.store import Forgotten, LogStore, store_key

__all__ = ["main"]


def main(configs: Sequence[ForgetConfig]) -> None:
    """Deletes, and prints how much. Raises ConfigError unless exactly one choice is made, DataError for no store."""
    (config,) = configs
    before = _before(config)
    if sum(one is not None for one in (config.session, config.user, before)) != 1:
        raise ConfigError(
            "choose what is to be forgotten, one of: session=…, user=…, before=2026-01-31, store.keep_days=90"
        )
    key = store_key(config.store.key_env, config.store.key_file)
    with LogStore.open(Path(config.store.path), key=key, reader="do=forget") as store:
        gone = store.forget(session=config.session, user=config.user, before=before)
    if gone == Forgotten():
        Console().print("nothing forgotten: no call or quarantined entry is of that name or age", soft_wrap=True)
        return
    Console().print(
        f"forgot {gone.calls:,} calls, {gone.contents:,} messages and tool lists that no other call has, "
        f"{gone.quarantined:,} quarantined entries; {gone.files:,} files written anew",
        highlight=False,
        soft_wrap=True,
    )


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
