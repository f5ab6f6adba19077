"""First tokens told apart by kind, and waiting told from service."""

from harness.backends.client import Exchange
from harness.backends.stream import read_exchange
from harness.measure import queue_s, ttft_content_s, ttft_reasoning_s, ttft_s, ttft_tool_s
from harness.records import ServerTiming, Timing


def read(*events: bytes) -> tuple[Timing, ServerTiming | None]:
    """Events that arrive a tenth of a second apart."""
    pieces = [b"data: " + event + b"\n\n" for event in (*events, b"[DONE]")]
    marks = [100_000_000 * (number + 1) for number in range(len(pieces))]
    exchange = Exchange(
        at=0.0,
        sent_ns=0,
        status=200,
        content_type="text/event-stream",
        pieces=pieces,
        marks_ns=marks,
        end_ns=marks[-1],
    )
    reading = read_exchange(exchange)
    assert reading.failure is None
    return reading.timing, reading.server


def test_each_kind_of_first_token_has_its_own_time() -> None:
    timing, _ = read(
        b'{"choices":[{"delta":{"role":"assistant"}}]}',
        b'{"choices":[{"delta":{"reasoning_content":"hm"}}]}',
        b'{"choices":[{"delta":{"content":"so"}}]}',
        b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}}]}',
        b'{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}',
    )

    assert (ttft_reasoning_s(timing), ttft_content_s(timing), ttft_tool_s(timing)) == (0.2, 0.3, 0.4)
    assert ttft_s(timing) == 0.2


def test_a_kind_that_did_not_come_has_no_time() -> None:
    timing, _ = read(b'{"choices":[{"delta":{"content":"so"},"finish_reason":"stop"}]}')

    assert (ttft_reasoning_s(timing), ttft_tool_s(timing)) == (None, None)


def test_the_wait_that_vllm_reports_is_taken_as_it_is() -> None:
    timing, server = read(
        b'{"choices":[{"delta":{"content":"so"},"finish_reason":"stop"}]}',
        b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1},"metrics":'
        b'{"time_to_first_token_ms":85.0,"generation_time_ms":40.0,"queue_time_ms":12.5}}',
    )

    assert queue_s(timing, server) == 0.0125


def test_the_wait_at_llamacpp_is_what_its_times_of_service_leave() -> None:
    timing, server = read(
        b'{"choices":[{"delta":{"content":"so"},"finish_reason":"stop"}],'
        b'"timings":{"prompt_n":5,"prompt_ms":50.0,"predicted_n":2,"predicted_ms":100.0}}',
    )

    assert queue_s(timing, server) == 0.2 - 0.05 - 0.1


def test_a_silent_server_has_no_known_wait() -> None:
    timing, server = read(b'{"choices":[{"delta":{"content":"so"},"finish_reason":"stop"}]}')

    assert queue_s(timing, server) is None
    assert queue_s(timing, ServerTiming(prompt_s=0.05)) is None
