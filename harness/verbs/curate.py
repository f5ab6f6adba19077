"""`do=curate`: the store's calls made fit to measure on."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.assets.progress import console_progress
from harness.config import CurateConfig
from harness.curate.curated import Curated, Source, curate
from harness.curate.redaction import Off, Redaction
from harness.curate.show import show
from harness.errors import GateFailed
from harness.executor.cores import cores_of
from harness.logs.store import LogStore, store_key
from harness.logs.store.portions import StoreLog

__all__ = ["main"]


def main(configs: Sequence[CurateConfig]) -> None:
    """Curates, and prints the books and reports. Raises GateFailed where more leaks than `curate.max_leak`."""
    (config,) = configs
    options = config.curate
    folder = Path(options.store or config.store.path)
    key = store_key(config.store.key_env, config.store.key_file)
    secret = None if key is None else key.secret
    redaction = Off(options) if options.pii == "off" else Redaction(options, config.pii, secret)
    with (
        LogStore.open(folder, key=key, reader="do=curate") as store,
        cores_of(config.executor) as cores,
        console_progress(show=config.progress != "off") as tell,
    ):
        log = StoreLog.of(store, config.store.key_env, config.store.key_file)
        done = curate(Source(log, str(folder), redaction), options, tell, cores=cores)
    show(done)
    if options.restore_map is not None and options.pii != "off":
        how = "encrypted with the store's key" if secret else "in the clear, since the store has no key (mode 0600)"
        Console().print(f"restore map: {options.restore_map}, {how}", highlight=False, soft_wrap=True, markup=False)
    _gate(done, options.max_leak)


def _gate(done: Curated, most: float | None) -> None:
    """Raises GateFailed where the share of test calls with a near duplicate in train is above `most`."""
    row = done.leakage.rows[-1]
    if most is None or not row.looked_at:
        return
    share = row.at_threshold / row.looked_at
    if share > most:
        raise GateFailed(
            f"{row.at_threshold} of {row.looked_at} test calls ({share:.1%}) have a near duplicate in train, "
            f"curate.max_leak={most:g} allows {most:.1%}; the calls are in {done.folder}"
        )
