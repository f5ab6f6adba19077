"""`do=receive`: an OTLP/HTTP receiver on loopback, until Ctrl-C."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from harness.assets.progress import human_bytes
from harness.capture.receiver import Received, receiving
from harness.config import ReceiveConfig
from harness.errors import ConfigError

__all__ = ["main"]

_SHOWN_EVERY_S = 1.0


def main(configs: Sequence[ReceiveConfig]) -> None:
    """Writes what instrumented agents send. Raises BackendError if the port is taken, ConfigError without a folder."""
    (config,) = configs
    asyncio.run(_receive(config, Path(config.receive.to).expanduser(), Console()))


async def _receive(config: ReceiveConfig, folder: Path, console: Console) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    try:
        async with receiving(folder, config.receive.port) as received:
            console.print(f"listening at {received.url}; agents send there with", highlight=False, soft_wrap=True)
            console.print(f"  OTEL_EXPORTER_OTLP_ENDPOINT={received.url}", highlight=False, soft_wrap=True)
            console.print(f"what comes goes to {config.receive.to}/; Ctrl-C ends", highlight=False, soft_wrap=True)
            await _until(stop, received, config, console)
    except OSError as error:
        raise ConfigError(
            f"receive.to={config.receive.to} cannot be written ({error.strerror}); name another"
        ) from None
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)
    console.print(_told(received), highlight=False, soft_wrap=True)
    if received.messages:
        console.print(f"next: python -m harness do=collect logs.path={config.receive.to}", highlight=False)


async def _until(stop: asyncio.Event, received: Received, config: ReceiveConfig, console: Console) -> None:
    if config.progress == "off" or not console.is_terminal:
        await stop.wait()
        return
    with console.status(_told(received)) as status:
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _SHOWN_EVERY_S)
            status.update(_told(received))


def _told(received: Received) -> str:
    refused = f", {received.refused:,} refused" if received.refused else ""
    return f"received {received.messages:,} messages, {human_bytes(received.bytes)}{refused}"
