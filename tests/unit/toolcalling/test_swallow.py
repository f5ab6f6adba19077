"""Chat templates that drop what they are given are named."""

from collections.abc import Callable

import jinja2
import pytest

from harness.records import Message, Protocol, Sample, Tool, ToolTarget
from harness.toolcalling.encode import ChatRequest
from harness.toolcalling.swallow import probe, tools_swallowed

TOOLS = (Tool(name="get_weather", description="Weather of a city."),)
SAMPLE = Sample(
    id="s",
    category="c",
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="Rain in Oslo?")),
    tools=TOOLS,
    target=ToolTarget(expect="any_call"),
    scorer="bfcl",
)
WHOLE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if tools %}{{ tools }}{% endif %}"
NO_TOOLS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
NO_SYSTEM = "{% for m in messages if m.role != 'system' %}{{ m.role }}: {{ m.content }}\n{% endfor %}{{ tools or '' }}"


class Counter:
    """Counts the words that a chat template makes of a request."""

    def __init__(self, template: str, known: Callable[[int], int | None] = lambda count: count) -> None:
        self._template = jinja2.Template(template)
        self._known = known

    async def __call__(self, request: ChatRequest) -> int | None:
        return self._known(len(self._template.render(messages=request.messages, tools=request.tools).split()))


@pytest.mark.parametrize(
    ("template", "protocol", "named"),
    [
        (NO_TOOLS, "native", "drops the tools"),
        (NO_SYSTEM, "prompted", "drops the system message"),
        (NO_SYSTEM, "constrained", "drops the system message"),
    ],
)
async def test_a_template_that_drops_the_tools_is_named(template: str, protocol: Protocol, named: str) -> None:
    warning = await probe(Counter(template), SAMPLE, protocol)

    assert warning is not None
    assert named in warning
    assert "model.chat_template=" in warning
    assert "\n" not in warning


@pytest.mark.parametrize(
    ("template", "protocol"),
    [(WHOLE, "native"), (WHOLE, "prompted"), (NO_TOOLS, "prompted"), (NO_TOOLS, "constrained"), (NO_SYSTEM, "native")],
)
async def test_a_template_that_shows_the_tools_is_not(template: str, protocol: Protocol) -> None:
    assert await probe(Counter(template), SAMPLE, protocol) is None


async def test_a_server_that_does_not_count_and_a_sample_without_tools_give_no_warning() -> None:
    silent = Counter(NO_TOOLS, known=lambda _: None)

    assert await probe(silent, SAMPLE) is None
    assert await probe(Counter(NO_TOOLS), SAMPLE.model_copy(update={"tools": ()})) is None


@pytest.mark.parametrize(
    ("given", "without", "swallowed"), [(37, 37, True), (36, 37, True), (38, 37, False), (177, 37, False)]
)
def test_a_prompt_no_longer_than_without_tools_has_swallowed_them(given: int, without: int, swallowed: bool) -> None:
    assert tools_swallowed(given, without, TOOLS) is swallowed


def test_many_tools_that_add_a_single_token_are_swallowed() -> None:
    assert tools_swallowed(38, 37, TOOLS * 2)


def test_no_tools_cannot_be_swallowed() -> None:
    assert not tools_swallowed(37, 37, ())
