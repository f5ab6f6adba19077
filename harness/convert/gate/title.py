"""What the rows are called."""

from harness.records.convert import GateRow

__all__ = ["title_of"]

_TITLES: dict[GateRow, str] = {
    "base": "base",
    "grammar": "base + grammar",
    "tuned": "fine-tuned",
    "tuned_grammar": "fine-tuned + grammar",
    "checkpoint": "fine-tuned, unquantized, in transformers",
    "reference": "reference",
}


def title_of(row: GateRow, examples: int) -> str:
    """A row's name for people.

    >>> title_of("examples", 3), title_of("tuned", 3)
    ('base + 3 examples', 'fine-tuned')
    """
    return f"base + {examples} examples" if row == "examples" else _TITLES[row]
