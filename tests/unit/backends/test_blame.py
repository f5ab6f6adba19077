"""Keys in what a server says: gone by their shape, by where they stand, and by being the one that was sent."""

import pytest

from harness.backends.blame import attribute, hushed, sent_keys, without_secrets, without_shapes
from harness.backends.litellm_child import hidden_values
from harness.records import Failure


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-0123456789abcdef",
        "sk-ant-api03-0123456789",
        "hf_AbCdEfGhIjKlMnOp",
        "gsk_0123456789abcdef",
        "xai-0123456789abcdef",
        "AIzaSyA-0123456789_abcdefghijklmnopqrs",
        "AKIA0123456789ABCDEF",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)
def test_what_providers_give_out_is_known_by_its_shape(key: str) -> None:
    said = attribute(401, f'{{"error": {{"message": "Incorrect key: {key}."}}}}'.encode(), None).message

    assert said == "HTTP 401: Incorrect key: [key]." or said == "HTTP 401: Incorrect key: [key]"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("at https://x.test/v1/models?key=5f0e9a1b&alt=sse", "at https://x.test/v1/models?key=[key]&alt=sse"),
        ("Authorization: Bearer Qz9opaque4Kd8Xv", "Authorization: Bearer [key]"),
        ("api-key: 5f0e9a1b2c3d4e5f is wrong", "api-key: [key] is wrong"),
        ('{"x-api-key": "5f0e9a1b2c3d4e5f"}', '{"x-api-key": "[key]"}'),
        ("x-goog-api-key=5f0e9a1b2c3d4e5f", "x-goog-api-key=[key]"),
    ],
)
def test_what_stands_where_keys_stand_is_one(text: str, left: str) -> None:
    assert without_shapes(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "the api key is missing",
        "Authorization: required",
        "max_tokens is larger than 4096",
        "maximum context length is 8192 tokens",
        "unknown key: temperature",
        "task-0123456789 failed",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert without_shapes(text) == text


def test_the_key_that_was_sent_is_known_without_any_shape_even_cut_or_quoted() -> None:
    headers = {
        "Authorization": "Bearer Qz9/opaque+4Kd8Xv",
        "api-key": "c4a2f9e17b3d5086",
        "Accept": "text/event-stream",
    }
    text = "no Qz9/opaque+4Kd8Xv, no Qz9%2Fopaque%2B4Kd8Xv, no Qz9/opaq…, no c4a2f9e17b3d5086; text/event-stream"

    assert without_secrets(text, headers) == "no [key], no [key], no [key]…, no [key]; text/event-stream"


def test_a_word_that_stands_for_no_key_hides_nothing() -> None:
    assert sent_keys({"Authorization": "Bearer none", "X-Key": ""}) == ()


def test_a_failure_without_a_key_stays_itself() -> None:
    failure = Failure(boundary="infrastructure", kind="timeout", message="no end of the reply within 5 s")

    assert hushed(failure, ("Qz9opaque4Kd8Xv",)) is failure


def test_the_relay_hides_the_chosen_variable_whatever_its_name() -> None:
    environment = {"MINE": "Qz9opaque4Kd8Xv", "HOME": "/home/somebody"}

    assert hidden_values(environment, "MINE") == ("Qz9opaque4Kd8Xv",)
    assert hidden_values(environment) == ()
