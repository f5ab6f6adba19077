"""NVIDIA data-flywheel records: {timestamp, workload_id, client_id, request, response} a line."""

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.logs.apis import answered, asked
from harness.logs.exchange import api_of, failed
from harness.logs.formats.base import JsonFormat, Place, Skip, identify, paths_of
from harness.logs.formats.pairs import SOURCES
from harness.logs.pick import Unreadable, inner, kind, mapping, text, when
from harness.records.logs import LogRecord

__all__ = ["Flywheel"]

_READ = frozenset({"timestamp", "workload_id", "client_id", "request", "response"})


class Flywheel(JsonFormat):
    """Calls of one agent node (`workload_id`, kept as the agent). There is no session, no latency and no cost in it."""

    name: ClassVar[str] = "flywheel"

    def sniff(self, head: bytes, name: str) -> float:
        """By the two keys that no other format has."""
        del name
        return 0.95 if {"workload_id", "client_id", "request"} <= paths_of(head) else 0.0

    def entry(self, data: Any, mark: bytes) -> LogRecord | Skip:
        """The record of a line."""
        if not isinstance(data, Mapping):
            raise Unreadable(f"the line is {kind(data)}, not an object")
        if missing := sorted(_READ - set(data)):
            raise Unreadable(f"the record lacks {', '.join(missing)}")
        request, response = mapping(data, "request"), inner(data["response"])
        api = api_of(request, response)
        if api not in SOURCES:
            return Skip(api)
        question = asked(api, request)  # type: ignore[arg-type]
        answer = answered(api, response)  # type: ignore[arg-type]
        extra = {key: value for key, value in data.items() if key not in _READ and value is not None}
        extra |= {"client_id": data["client_id"]} if data["client_id"] is not None else {}
        extra |= {"request_metadata": question.metadata} if question.metadata else {}
        return LogRecord(
            id=identify(self.name, mark),
            source=self.name,
            messages=question.messages,
            tools=question.tools,
            params=question.params,
            reply=answer.reply,
            more_replies=answer.more,
            failure=answer.failure or failed(data.get("error")),
            at=when(data, "timestamp"),
            span=answer.span,
            agent=text(data, "workload_id"),
            user=question.user,
            model=question.model,
            answered_by=answer.model,
            usage=answer.usage,
            streamed=question.streamed,
            extra=extra,
        )

    def place(self, data: Any) -> Place | None:
        """None: there are no sessions."""
        del data
        return None
