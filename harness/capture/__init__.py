"""Live capture of an agent's calls, in two lines of the user's program.

    from harness.capture import capture
    client = capture(OpenAI(), "calls/", agent="support")

Nothing here reads the harness's configuration or slows the program's start: the standard library until something is
captured. A call is never raised into, never waits for the disk, and gains a few microseconds.
"""

from harness.capture.context import human_chat, session
from harness.capture.http import capture
from harness.capture.recorder import Recorder

__all__ = ["Recorder", "capture", "human_chat", "session"]
