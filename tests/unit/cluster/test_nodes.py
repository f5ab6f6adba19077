"""Which calls are of one node of the agent."""

import random
from collections import Counter

import pytest

from harness.cluster.features import Features, features_of, masked
from harness.cluster.nodes import Node, find_nodes, template_text
from tests.support.planted_calls import call

LONG = (
    "You are the returns desk of a shop. Be brief and polite at all times. Never promise a refund that was not granted."
)


def sizes(nodes: list[Node]) -> list[int]:
    return [len(node.rows) for node in nodes]


def nodes_of(*systems: str, tools: tuple[str, ...] = ("a", "b", "c")) -> list[Node]:
    return find_nodes(features_of(call(place, "hello", system=text, tools=tools) for place, text in enumerate(systems)))


def test_masks_leave_the_words() -> None:
    assert masked("mail a.b@c.org on 2024-05-01: 3 of W1234567") == "mail <email> on <date>: <number> of <id>"


def test_prompts_that_differ_in_names_and_numbers_are_one_node() -> None:
    found = nodes_of(*(f"{LONG}\nThe customer is {name}, order {place}." for place, name in enumerate("ABCDEFGH")))

    assert sizes(found) == [8]
    assert "{…}" in template_text(found[0])
    assert "returns desk" in template_text(found[0])


def test_other_instructions_with_the_same_tools_are_another_node() -> None:
    found = nodes_of(*[LONG] * 5, *["You plan trips for tourists. Ask for dates first. Prices are in euro."] * 4)

    assert sizes(found) == [5, 4]


def test_one_tool_more_is_the_same_node_and_another_set_is_not() -> None:
    calls = [call(0, "x", system=LONG, tools=("a", "b", "c")), call(1, "x", system=LONG, tools=("a", "b", "c", "d"))]
    other = call(2, "x", system=LONG, tools=("y", "z"))

    found = find_nodes(features_of([*calls, other]))

    assert sizes(found) == [2, 1]


@pytest.mark.parametrize(("told", "nodes"), [(True, 2), (False, 1)])
def test_a_labelled_line_parts_a_node_only_where_the_rest_differs_too(told: bool, nodes: int) -> None:
    draw = random.Random(0)
    words = {"retail": "shirt lamp kettle parcel refund sofa", "airline": "gate seat luggage pilot cabin runway"}
    systems = []
    for place in range(40):
        domain = ("retail", "airline")[place % 2]
        about = words[domain] if told else " ".join(words.values())
        systems.append(f"{LONG}\nDomain: {domain}\nStory {' '.join(draw.sample(about.split(), 4))}")

    found = nodes_of(*systems)

    assert len(found) == nodes
    if told:
        assert {node.slot for node in found} == {"Domain: retail", "Domain: airline"}


def test_without_system_message_or_template_all_calls_are_one_node() -> None:
    draw = random.Random(1)
    words = ["how", "do", "i", "block", "my", "lost", "card", "and", "get", "some", "money", "back", "today"]
    texts = [" ".join(draw.sample(words, 6)) for _ in range(60)]

    found = find_nodes(features_of(call(place, text) for place, text in enumerate(texts)))

    assert sizes(found) == [60]
    assert not found[0].units


def test_a_template_in_the_user_message_is_found() -> None:
    draw = random.Random(2)
    sorts = [f"Which of the five labels fits this text best?\n{draw.random()} words {place}" for place in range(30)]
    sums = [f"Write a summary of this letter in a line.\n{draw.random()} letters {place}" for place in range(20)]

    found = find_nodes(features_of(call(place, text) for place, text in enumerate(sorts + sums)))

    assert sizes(found) == [30, 20]


def test_every_call_is_in_one_node_and_none_is_in_two() -> None:
    features = features_of(
        call(place, f"t{place}", system=f"Persona {'xyzuvw'[place % 6] * 9} speaks.") for place in range(60)
    )

    counts = Counter(row for node in find_nodes(features) for row in node.rows)

    assert counts == Counter(range(60))


def test_no_calls_no_nodes() -> None:
    assert find_nodes(Features()) == []
