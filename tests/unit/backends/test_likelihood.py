"""Likelihoods of given texts: what is sent to llama.cpp and to vLLM, and who is refused."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harness.backends.likelihood import read_likelihoods
from harness.errors import BackendError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts

Answer = Callable[[str, dict[str, Any]], tuple[int, object]]
PAIRS = (("ab", "cd"), ("ab", "c"))


@contextmanager
def served(answer: Answer, build: str | None) -> Iterator[tuple[Endpoint, list[tuple[str, dict[str, Any]]]]]:
    asked: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body))
            status, said = answer(self.path, body)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield Endpoint(base_url=url, model="m", facts=BackendFacts(name="endpoint", build=build)), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tokens(body: dict[str, Any]) -> dict[str, object]:
    return {"tokens": [ord(letter) for letter in str(body.get("content", body.get("prompt", "")))]}


def llamacpp(path: str, body: dict[str, Any]) -> tuple[int, object]:
    """Each token's log-probability is minus its code over 100; `c` alone is always the likeliest."""
    if path == "/tokenize":
        return 200, tokens(body)
    grammar = str(body.get("grammar", "root ::= "))
    forced = [int(word.strip("<[]>")) for word in grammar.split("::= ")[1].split()]
    rows = [{"id": one, "logprob": -one / 100, "top_logprobs": [{"id": ord("c")}]} for one in forced]
    return 200, {"id_slot": 5, "completion_probabilities": rows, "timings": {"cache_n": 1}}


def vllm(path: str, body: dict[str, Any]) -> tuple[int, object]:
    if path == "/tokenize":
        return 200, tokens(body)
    numbers = [None, *(-one / 100 for one in body["prompt"][1:]), -0.5]
    tops = [None, *({"x": number, "y": -0.995} for number in numbers[1:])]
    return 200, {"choices": [{"logprobs": {"token_logprobs": numbers, "top_logprobs": tops}}]}


async def test_llamacpp_writes_the_continuation_under_a_grammar_of_its_tokens() -> None:
    with served(llamacpp, "llama.cpp b1") as (endpoint, asked):
        reading = await read_likelihoods(endpoint, PAIRS, 5.0)

    assert reading.reply is not None
    assert json.loads(reading.reply.content or "") == [[-1.99, False], [-0.99, True]]
    bodies = [body for path, body in asked if path == "/completion"]
    assert [body.get("grammar") for body in bodies] == [None, "root ::= <[99]> <[100]>", "root ::= <[99]>"]
    assert [body["prompt"] for body in bodies] == [[97, 98]] * 3


async def test_the_context_is_computed_once_by_itself_and_the_others_find_it_in_its_slot() -> None:
    with served(llamacpp, "llama.cpp b1") as (endpoint, asked):
        reading = await read_likelihoods(endpoint, PAIRS, 5.0)

    bodies = [body for path, body in asked if path == "/completion"]
    assert [(body["cache_prompt"], body.get("id_slot")) for body in bodies] == [(False, None), (True, 5), (True, 5)]
    assert (reading.usage.prompt_tokens, reading.usage.cached_tokens) == (6, 3)


async def test_blanks_before_the_continuation_belong_to_it() -> None:
    with served(llamacpp, "llama.cpp b1") as (endpoint, asked):
        await read_likelihoods(endpoint, (("ab ", "c"),), 5.0)

    assert asked[-1][1]["grammar"] == "root ::= <[32]> <[99]>"


async def test_vllm_echoes_the_prompt_with_its_numbers() -> None:
    with served(vllm, "vllm 0.20.0") as (endpoint, asked):
        reading = await read_likelihoods(endpoint, PAIRS, 5.0)

    assert reading.reply is not None
    assert json.loads(reading.reply.content or "") == [[-1.99, False], [-0.99, True]]
    sent = asked[-1][1]
    assert (sent["echo"], sent["logprobs"], sent["prompt"]) == (True, 1, [97, 98, 99])


@pytest.mark.parametrize(
    ("build", "answer", "why"),
    [
        (None, lambda _p, _b: (404, {}), "tokenize is no route"),
        ("ollama 0.9", lambda _p, _b: (200, {"model": "m"}), "its /tokenize gives no tokens"),
        ("vllm 0.1", lambda p, b: (200, tokens(b) if p == "/tokenize" else {"choices": [{"text": "x"}]}), "echo with"),
        ("llama.cpp b1", lambda p, b: (200, tokens(b) if p == "/tokenize" else {}), "a grammar of tokens did not hold"),
    ],
)
async def test_an_endpoint_that_cannot_is_refused_with_a_way_out(build: str | None, answer: Answer, why: str) -> None:
    with served(answer, build) as (endpoint, _), pytest.raises(BackendError, match=why) as refusal:
        await read_likelihoods(endpoint, PAIRS, 5.0)

    assert "mmlu_generative" in str(refusal.value)


async def test_a_number_that_is_no_logarithm_is_never_scored() -> None:
    def odd(path: str, body: dict[str, Any]) -> tuple[int, object]:
        status, said = vllm(path, body)
        if path != "/tokenize":
            said["choices"][0]["logprobs"]["token_logprobs"][2] = None  # type: ignore[index]
        return status, said

    with served(odd, "vllm 0.20.0") as (endpoint, _), pytest.raises(BackendError, match="for logarithms"):
        await read_likelihoods(endpoint, PAIRS, 5.0)


async def test_a_server_that_fails_is_the_infrastructures_failure() -> None:
    def down(path: str, body: dict[str, Any]) -> tuple[int, object]:
        return (200, tokens(body)) if path == "/tokenize" else (500, {"error": {"message": "out of order"}})

    with served(down, "llama.cpp b1") as (endpoint, _):
        reading = await read_likelihoods(endpoint, PAIRS, 5.0)

    assert reading.reply is None
    assert reading.failure is not None
    assert (reading.failure.boundary, reading.failure.kind) == ("infrastructure", "server_error")


async def test_a_context_that_does_not_fit_is_the_models_failure() -> None:
    def full(path: str, body: dict[str, Any]) -> tuple[int, object]:
        said = {"error": {"type": "exceed_context_size_error", "message": "the request exceeds the context size"}}
        return (200, tokens(body)) if path == "/tokenize" else (400, said)

    with served(full, "llama.cpp b1") as (endpoint, _):
        reading = await read_likelihoods(endpoint, PAIRS, 5.0)

    assert reading.failure is not None
    assert (reading.failure.boundary, reading.failure.kind) == ("model", "context_overflow")
