"""Keys: where they may come from, and that nothing of them gets out of the relay."""

from pathlib import Path

import pytest

from harness.backends.litellm import Litellm, key_from_file
from harness.backends.litellm_child import hidden_values, refusal_of, without_keys
from harness.config import LitellmConfig, ModelConfig
from harness.errors import ConfigError

KEY = "AIzaCanary-0f9e8d7c6b5a/+="
HIDDEN = (KEY,)


def backend(name: str = "openai/gpt-4.1-mini", variable: str | None = None, **config: object) -> Litellm:
    model = ModelConfig(name=name, title="x", licence="x", hosted=True, api_key_env=variable)
    return Litellm(LitellmConfig.model_validate({"name": "litellm", **config}), model)


def test_an_address_with_a_key_in_it_is_refused_without_showing_it() -> None:
    model = ModelConfig(name="gemini/x", title="x", licence="x", hosted=True, url=f"https://x.test/v1?key={KEY}")

    with pytest.raises(ConfigError, match=r"^model\.url holds a user, a password or a query") as caught:
        Litellm(LitellmConfig(name="litellm"), model).prepare()
    assert KEY not in str(caught.value)


async def refused(one: Litellm) -> str:
    with pytest.raises(ConfigError) as caught:
        async with one.serve():
            pass
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_file_that_others_may_read_is_refused_with_what_to_type(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(mode)

    with pytest.raises(ConfigError, match=r"chmod 600 key$") as caught:
        key_from_file(file)

    assert KEY not in str(caught.value)


def test_a_closed_file_gives_its_key_without_the_end_of_line(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)

    assert key_from_file(file) == KEY


@pytest.mark.parametrize("held", ["", "two words", "two\nlines", "schlüssel"])
def test_a_file_that_holds_no_key_is_refused_without_showing_it(tmp_path: Path, held: str) -> None:
    file = tmp_path / "key"
    file.write_text(held)
    file.chmod(0o600)

    with pytest.raises(ConfigError, match=r"^key holds no key: it is to be one line") as caught:
        key_from_file(file)

    assert not held or held not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^backend\.api_key_file=key cannot be read: No such file"):
        key_from_file(tmp_path / "key")


async def test_two_places_for_one_key_are_refused() -> None:
    said = await refused(backend(variable="MINE", api_key_file="key"))

    assert said == "model.api_key_env and backend.api_key_file are both given: leave one of them out"


async def test_a_named_variable_that_is_not_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINE", raising=False)

    said = await refused(backend(variable="MINE"))

    assert said == "openai/gpt-4.1-mini needs a key, and the variable MINE is not set: export MINE=…"


async def test_a_python_that_is_none_is_told() -> None:
    said = await refused(backend(python="nowhere/python"))

    assert said.startswith("backend.python=nowhere/python is no program")


async def test_cache_marks_are_refused_for_models_that_know_none() -> None:
    said = await refused(backend(cache="mark"))

    assert said.startswith("backend.cache=mark is for Claude models, and openai/gpt-4.1-mini is none")


@pytest.mark.parametrize(
    "echo",
    [KEY, f"x={KEY}&y", f'"{KEY}"', KEY[:14], KEY[4:16], KEY.replace("/", "%2F").replace("+", "%2B")[:24], f"({KEY})"],
)
def test_an_echo_of_a_key_whole_or_cut_is_taken_out(echo: str) -> None:
    said = without_keys(f"no such key: {echo}.", HIDDEN)

    assert "[key]" in said
    assert "Canary-0f9" not in said


def test_words_that_are_no_part_of_a_key_stay() -> None:
    said = "the model claude-sonnet-4-5 is overloaded, see https://example.org/status"

    assert without_keys(said, HIDDEN) == said


def test_values_are_known_as_keys_by_the_names_of_their_variables() -> None:
    found = hidden_values({"AWS_SECRET_ACCESS_KEY": "a" * 40, "HF_TOKEN": "b" * 20, "HOME": "c" * 20, "X_KEY": "1"})

    assert found == ("a" * 40, "b" * 20)


def test_the_inner_status_and_wait_of_a_wrapped_error_are_the_providers_own() -> None:
    class Provider(Exception):
        status_code = 529
        headers = {"retry-after": "3"}  # noqa: RUF012 - as a library's exception has it

    class Outer(Exception):
        status_code = 500

    error = Outer(f"no, {KEY}\nTraceback (most recent call last): /home/someone/litellm/main.py")
    error.__cause__ = Provider()

    found = refusal_of(error, HIDDEN)

    assert (found.status, found.message, found.retry_after) == (529, "no, [key]", "3")
