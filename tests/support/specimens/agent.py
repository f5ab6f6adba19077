"""Agents' tasks in a toy environment: one turn, several turns, one in which something has to be said."""

from tests.support.specimens import Specimen
from tests.support.toy_world import put, toy_sample

SPECIMENS = [
    Specimen(toy_sample([put("a", 1), put("b", 2)])),
    Specimen(toy_sample([put("a", 1)], [], [put("a", 2), put("b", 3)])),
    Specimen(toy_sample([put("a", 1)], say="the box holds 1")),
]
