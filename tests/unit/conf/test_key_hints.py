"""A key that does not exist is answered with the keys of the engine that was chosen, by name or by the model."""

import pytest
from hydra.errors import ConfigCompositionException, OverrideParseException

from harness.explain import explain


@pytest.mark.parametrize(
    ("argv", "key", "wanted"),
    [
        (["backend=ollama"], "backend.keepalive", "did you mean backend.keep_alive?"),
        (["backend=litellm"], "backend.api_key_fil", "did you mean backend.api_key_file?"),
        (["model=recorded"], "backend.pat", "did you mean backend.path?"),
        ([], "backend.slot", "did you mean backend.slots?"),
        (["backend=nonsense"], "backend.slot", "did you mean backend.slots?"),
    ],
)
def test_the_keys_told_are_those_of_the_chosen_engine(argv: list[str], key: str, wanted: str) -> None:
    error = ConfigCompositionException(f"Could not override '{key}'.")

    assert wanted in explain(error, [*argv, f"{key}=1"])


def test_a_key_in_an_address_is_not_said_back() -> None:
    typed = "model.url=http://127.0.0.1:9/v1?key=sk-canary-0123456789"

    said = explain(OverrideParseException(typed, "mismatched input"), [typed])

    assert said.startswith("'model.url=http://127.0.0.1:9/v1?key=[key]' is not of the form key=value")
