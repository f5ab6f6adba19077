"""What holds for every test."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("harness", deadline=None)  # how long an example takes is the machine's business
settings.load_profile("harness")


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C works in the programs that tests start, also where a shell's `&` had it ignored from the start."""
    del config
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _hub_as_it_was() -> Iterator[None]:
    """Where a machine has no hub, Inspect's tasks tell its client so for the rest of the process: of the test, here."""
    word, hub = "HF_HUB_OFFLINE", "huggingface_hub.constants"
    told = os.environ.get(word)
    offline = getattr(sys.modules.get(hub), word, None)
    yield
    if told is None:
        os.environ.pop(word, None)
    else:
        os.environ[word] = told
    if hub in sys.modules:
        setattr(sys.modules[hub], word, offline if offline is not None else bool(told))
