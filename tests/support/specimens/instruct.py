"""Prompts with instructions of one kind and of several, with and without a gold that can be made up."""

from pydantic import JsonValue

from harness.records import Instruction, InstructionTarget, Message, Sample
from tests.support.specimens import Specimen

__all__ = ["SPECIMENS", "sample"]


def sample(*instructions: tuple[str, dict[str, JsonValue]]) -> Sample:
    """A sample of IFEval with these instructions."""
    prompt = "Tell me about the sea."
    wanted = tuple(Instruction(id=identity, arguments=arguments) for identity, arguments in instructions)
    return Sample(
        id="s",
        category="c",
        messages=(Message(role="user", content=prompt),),
        target=InstructionTarget(prompt=prompt, instructions=wanted),
        scorer="instruct",
    )


SPECIMENS = [
    Specimen(sample(("punctuation:no_comma", {}))),
    Specimen(sample(("change_case:english_capital", {}))),
    Specimen(
        sample(
            ("detectable_format:title", {}),
            ("length_constraints:number_words", {"relation": "at least", "num_words": 40}),
            ("keywords:forbidden_words", {"forbidden_words": ["ocean"]}),
        )
    ),
    Specimen(sample(("language:response_language", {"language": "de"}), ("startend:quotation", {}))),
]
