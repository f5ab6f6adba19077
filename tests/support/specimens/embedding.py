"""A sample judged by likeness of meaning, and one of the words that come along."""

from tests.support.specimens import Specimen
from tests.support.specimens.text import sample

SPECIMENS = [
    Specimen(sample("How?", match="embedding", accepted=("You can reset the password in the settings.",))),
    Specimen(
        sample("How?", match="embedding", accepted=("You can reset the password in the settings.",), threshold=0.7)
    ),
    Specimen(sample("6 * 7?", match="numeric", accepted=("42",))),
]
