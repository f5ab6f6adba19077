"""Capture through litellm: `litellm.callbacks = [LitellmCapture("calls/")]`."""

import copy
import os
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from harness.capture.context import current
from harness.capture.recorder import Recorder, recorder_of

__all__ = ["LitellmCapture"]


class LitellmCapture(CustomLogger):
    """Writes litellm's own logging payload of each call, success or failure, as a line.

    A call counts as human chat if its `metadata` says `human_chat: true`, or if it is made within `human_chat()`.
    """

    def __init__(
        self, to: "str | os.PathLike[str] | Recorder", *, agent: str | None = None, keep_human_chat: bool = False
    ) -> None:
        """Raises OSError if the folder cannot be made."""
        super().__init__()
        self.recorder = to if isinstance(to, Recorder) else recorder_of(to, keep_human_chat=keep_human_chat)
        self._agent = agent

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Called by litellm in a thread of its own."""
        del response_obj, start_time, end_time
        self._take(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Called by litellm in a thread of its own."""
        del response_obj, start_time, end_time
        self._take(kwargs)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Called by litellm as a task of the program's loop."""
        del response_obj, start_time, end_time
        self._take(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Called by litellm as a task of the program's loop."""
        del response_obj, start_time, end_time
        self._take(kwargs)

    def _take(self, kwargs: Any) -> None:
        payload = kwargs.get("standard_logging_object") if isinstance(kwargs, dict) else None
        if not isinstance(payload, dict):
            return
        context = current()
        known = {"session_id": context.session, "agent": context.agent or self._agent}
        if (context.human or _is_human(kwargs)) and not self.recorder.keep_human_chat:
            self.recorder.put(lambda: None)
            return
        kept = {**copy.copy(payload), **{name: value for name, value in known.items() if value is not None}}
        self.recorder.put(lambda: _line(kept))


def _is_human(kwargs: dict[str, Any]) -> bool:
    parameters = kwargs.get("litellm_params")
    metadata = parameters.get("metadata") if isinstance(parameters, dict) else None
    return isinstance(metadata, dict) and metadata.get("human_chat") is True


def _line(payload: dict[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(payload, default=str, option=orjson.OPT_NON_STR_KEYS)
