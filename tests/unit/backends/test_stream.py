"""Reading exchanges: replies, marks, usage and blame."""

import json

import pytest

from harness.backends.blame import attribute, retry_after_s
from harness.backends.client import Exchange
from harness.backends.stream import read_exchange

MS = 1_000_000


def exchange(*pieces: bytes, status: int = 200, content_type: str = "text/event-stream") -> Exchange:
    """Pieces that arrive 10 ms apart, the first 10 ms after sending."""
    sent = 5_000 * MS
    marks = [sent + (index + 1) * 10 * MS for index in range(len(pieces))]
    end = marks[-1] if marks else sent
    return Exchange(
        at=0.0, sent_ns=sent, status=status, content_type=content_type, headers_ns=sent + MS,
        pieces=list(pieces), marks_ns=marks, end_ns=end,
    )  # fmt: skip


def data(**delta: object) -> bytes:
    finish = delta.pop("finish_reason", None)
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def test_marks_are_those_of_the_piece_that_completed_an_event() -> None:
    first = data(content="He")

    reading = read_exchange(exchange(first[:7], first[7:] + data(content="llo"), data(finish_reason="stop")))

    assert reading.failure is None
    assert reading.reply is not None
    assert reading.reply.content == "Hello"
    assert reading.timing.first_byte_ns == 10 * MS
    assert reading.timing.first_content_ns == 20 * MS
    assert reading.timing.chunks_ns == (20 * MS, 20 * MS)
    assert reading.timing.end_ns == 30 * MS


def test_tool_call_fragments_are_joined_by_index() -> None:
    def call(index: int, arguments: str, name: str | None = None) -> bytes:
        function = {"arguments": arguments} | ({"name": name} if name else {})
        return data(tool_calls=[{"index": index, "id": f"c{index}" if name else None, "function": function}])

    reading = read_exchange(
        exchange(
            call(0, "", "add"), call(0, '{"a":'), call(1, "{}", "now"), call(0, "1}"), data(finish_reason="tool_calls")
        )
    )

    assert reading.reply is not None
    assert [(c.name, c.arguments, c.id) for c in reading.reply.tool_calls] == [
        ("add", '{"a":1}', "c0"),
        ("now", "{}", "c1"),
    ]
    assert reading.timing.first_tool_ns == 10 * MS
    assert reading.timing.first_content_ns is None


def test_reasoning_has_a_first_token_of_its_own() -> None:
    reading = read_exchange(exchange(data(reasoning_content="hm"), data(content="2"), data(finish_reason="stop")))

    assert (reading.timing.first_reasoning_ns, reading.timing.first_content_ns) == (10 * MS, 20 * MS)


def test_the_servers_own_count_wins_over_counted_events() -> None:
    tokens = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}
    usage = b"data: " + json.dumps({"choices": [], "usage": tokens}).encode() + b"\n\n"

    counted = read_exchange(exchange(data(content="a"), data(finish_reason="stop"), usage)).usage
    estimated = read_exchange(exchange(data(content="a"), data(content="b"), data(finish_reason="stop"))).usage

    assert (counted.prompt_tokens, counted.cached_tokens, counted.output_tokens, counted.counted_by) == (
        7,
        5,
        3,
        "server",
    )
    assert (estimated.prompt_tokens, estimated.output_tokens, estimated.counted_by) == (None, 2, "chunks")


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_comments_other_fields_and_both_newlines_are_understood(newline: bytes) -> None:
    lines = [
        b": ping",
        b"event: x",
        *data(content="a").split(b"\n\n")[:1],
        b"",
        *data(finish_reason="stop").split(b"\n\n")[:1],
        b"",
        b"",
    ]

    reading = read_exchange(exchange(newline.join(lines)))

    assert reading.failure is None
    assert reading.reply is not None
    assert reading.reply.content == "a"


@pytest.mark.parametrize(
    ("pieces", "kind", "boundary"),
    [
        ((data(content="a"),), "truncated_stream", "infrastructure"),
        ((b"data: {oops\n\n",), "malformed_stream", "infrastructure"),
        ((b"data: 3\n\n",), "malformed_stream", "infrastructure"),
        ((b"data: [DONE]\n\n",), "malformed_stream", "infrastructure"),
        ((data(role="assistant"), data(finish_reason="stop")), "empty_reply", "model"),
        ((data(content="a"), data(finish_reason="content_filter")), "content_filter", "model"),
        ((b'data: {"error":{"code":500,"message":"Failed to parse input"}}\n\n',), "malformed_tool_call", "model"),
    ],
)  # fmt: skip
def test_broken_streams_are_told_from_bad_answers(pieces: tuple[bytes, ...], kind: str, boundary: str) -> None:
    failure = read_exchange(exchange(*pieces)).failure

    assert failure is not None
    assert (failure.kind, failure.boundary) == (kind, boundary)


def test_a_reply_that_is_not_streamed_is_no_reply() -> None:
    failure = read_exchange(exchange(b"{}", content_type="application/json")).failure

    assert failure is not None
    assert failure.kind == "wrong_content_type"


@pytest.mark.parametrize(
    ("status", "message", "boundary", "kind"),
    [
        (500, "Failed to parse tool call arguments as JSON: ...", "model", "malformed_tool_call"),
        (500, "Failed to parse tool call arguments in messages[3] of the input", "harness", "bad_history"),
        (400, "Failed to initialize samplers: failed to parse grammar", "infrastructure", "grammar_rejected"),
        (400, "request (9000 tokens) exceeds the available context size (8192 tokens)", "model", "context_overflow"),
        (400, "This model's maximum context length is 4096 tokens", "model", "context_overflow"),
        (400, "logprobs is not supported with tools + stream", "harness", "unsupported_request"),
        (400, "something else", "infrastructure", "bad_request"),
        (401, "bad key", "infrastructure", "auth"),
        (404, "model not found", "infrastructure", "not_found"),
        (408, "slow", "infrastructure", "timeout"),
        (409, "conflict", "infrastructure", "conflict"),
        (413, "large", "infrastructure", "too_large"),
        (429, "slow down", "infrastructure", "rate_limit"),
        (503, "Loading model", "infrastructure", "loading"),
        (503, "overloaded", "infrastructure", "server_error"),
        (502, "bad gateway", "infrastructure", "server_error"),
    ],
)
def test_blame_by_status_and_words(status: int, message: str, boundary: str, kind: str) -> None:
    failure = attribute(status, json.dumps({"error": {"message": message}}).encode(), None)

    assert (failure.boundary, failure.kind, failure.status) == (boundary, kind, status)


def test_a_key_in_an_error_does_not_reach_the_record() -> None:
    secret = "sk-" + "a1B2" * 10

    failure = attribute(401, json.dumps({"error": {"message": f"Incorrect API key provided: {secret}"}}).encode(), None)

    assert secret not in failure.message
    assert "Incorrect API key" in failure.message


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("3", 3.0), ("-1", 0.0), ("soon", None)])
def test_retry_after_in_seconds(value: str | None, expected: float | None) -> None:
    assert retry_after_s(value) == expected


def test_retry_after_as_a_past_date_is_no_wait() -> None:
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


def with_logprobs(text: str, *logprobs: object) -> bytes:
    told = {"content": [{"token": text, "logprob": one} for one in logprobs]}
    choice = {"index": 0, "delta": {"content": text}, "logprobs": told, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def test_certainty_is_that_of_all_tokens_that_came_with_a_probability() -> None:
    pieces = (with_logprobs("a", -0.5), with_logprobs("b", -1.5, -0.1), data(finish_reason="stop"))

    reading = read_exchange(exchange(*pieces))

    assert reading.reply is not None
    assert reading.reply.certainty is not None
    assert reading.reply.certainty.tokens == 3
    assert reading.reply.certainty.mean_logprob == pytest.approx(-0.7)
    assert (reading.reply.certainty.least_logprob, reading.reply.certainty.first_logprob) == (-1.5, -0.5)


def test_a_server_without_probabilities_leaves_certainty_open() -> None:
    no_list = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":null}}]}\n\n'

    reading = read_exchange(exchange(no_list, with_logprobs("b", None, "x", True), data(finish_reason="stop")))

    assert reading.reply is not None
    assert (reading.reply.content, reading.reply.certainty) == ("ab", None)
