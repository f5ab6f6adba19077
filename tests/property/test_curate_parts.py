"""What is drawn for a log in parts is what is drawn for it in one piece."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.curate.pseudonyms import Pseudonyms

KEY = b"k" * 32
ADDRESSES = st.integers(1, 120).map(lambda host: ("IP_ADDRESS", f"10.0.0.{host}"))
PINS = st.integers(100, 160).map(lambda pin: ("PASSWORD", str(pin)))


@given(st.lists(ADDRESSES | PINS, max_size=150), st.lists(st.integers(0, 150), max_size=6))
def test_values_of_parts_are_drawn_as_one_after_the_other(values: list[tuple[str, str]], cuts: list[int]) -> None:
    whole = Pseudonyms(KEY)
    expected = [whole.of(kind, value) for kind, value in values]

    edges = sorted({0, len(values), *(min(cut, len(values)) for cut in cuts)})
    here, there = Pseudonyms(KEY), Pseudonyms(KEY)
    found: list[str] = []
    for start, end in pairwise(edges):
        there.begin({})
        made = [there.of(kind, value) for kind, value in values[start:end]]
        meant = here.settle(there.drawn)
        if meant != there.drawn:
            there.begin(meant)
            made = [there.of(kind, value) for kind, value in values[start:end]]
        found += made

    assert found == expected
