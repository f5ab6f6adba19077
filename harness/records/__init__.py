"""The records that steps hand to each other: frozen, one JSON object each, names as the field uses them."""

from harness.records.attempt import (
    PROTOCOLS,
    Attempt,
    Boundary,
    Failure,
    FailureKind,
    Protocol,
    RawToolCall,
    Reply,
    ServerTiming,
    Timing,
    Usage,
    attempt_key,
)
from harness.records.base import Record
from harness.records.sample import AcceptedCall, Language, Message, Role, Sample, Tool, ToolCall, ToolTarget
from harness.records.score import MissClass, Score

__all__ = [
    "PROTOCOLS",
    "AcceptedCall",
    "Attempt",
    "Boundary",
    "Failure",
    "FailureKind",
    "Language",
    "Message",
    "MissClass",
    "Protocol",
    "RawToolCall",
    "Record",
    "Reply",
    "Role",
    "Sample",
    "Score",
    "ServerTiming",
    "Timing",
    "Tool",
    "ToolCall",
    "ToolTarget",
    "Usage",
    "attempt_key",
]
