"""Answers made up for simple instructions of IFEval, to check their checkers with: right ones, and ones just wrong.

An answer is put together from one piece for each instruction. Where pieces could get into each other's way, none is
made: better no gold than a doubtful one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from harness.protocols import Case
from harness.records import Instruction, InstructionTarget, Reply

__all__ = ["gold_and_near_misses"]

_Arguments = Mapping[str, JsonValue]
_ENGLISH = "this is a plain answer in the english language and it tells you that the weather is nice today"


@dataclass(slots=True)
class _Draft:
    """Pieces of an answer, in the order in which they are put together."""

    title: str = ""
    sentences: int = 1
    words: list[str] = field(default_factory=list)
    bullets: int = 0
    postscript: str = ""
    ending: str = ""
    quoted: bool = False
    least_words: int = 0

    def text(self) -> str:
        """The answer."""
        body = [self.title, " ".join(["Here it is."] * self.sentences), " ".join(self.words)]
        body += ["* one point"] * self.bullets + [self.postscript, self.ending]
        lacking = self.least_words - sum(len(re.findall(r"\w+", line)) for line in body)
        if lacking > 0:
            body.insert(1, "word " * lacking)
        whole = "\n".join(line.strip() for line in body if line.strip())
        return f'"{whole}"' if self.quoted else whole


def _title(draft: _Draft, _: _Arguments) -> None:
    draft.title = "<<A title>>"


def _placeholders(draft: _Draft, arguments: _Arguments) -> None:
    draft.words += ["[name]"] * _number(arguments, "num_placeholders")


def _highlights(draft: _Draft, arguments: _Arguments) -> None:
    draft.words += ["so", *["*this part* and"] * _number(arguments, "num_highlights")]


def _bullets(draft: _Draft, arguments: _Arguments) -> None:
    draft.bullets = _number(arguments, "num_bullets")


def _existence(draft: _Draft, arguments: _Arguments) -> None:
    draft.words += _texts(arguments, "keywords")


def _postscript(draft: _Draft, arguments: _Arguments) -> None:
    draft.postscript = f"{arguments['postscript_marker']} One more thing"


def _ending(draft: _Draft, arguments: _Arguments) -> None:
    draft.ending = str(arguments["end_phrase"])


def _quotation(draft: _Draft, _: _Arguments) -> None:
    draft.quoted = True


def _nothing(_draft: _Draft, _: _Arguments) -> None:
    """Holds already, as long as the other pieces do not break it."""


def _sentences(draft: _Draft, arguments: _Arguments) -> None:
    if arguments.get("relation") == "at least":
        draft.sentences = max(draft.sentences, _number(arguments, "num_sentences"))


def _frequency(draft: _Draft, arguments: _Arguments) -> None:
    if arguments.get("relation") == "at least":
        draft.words += [str(arguments["keyword"])] * _number(arguments, "frequency")


def _letters(draft: _Draft, arguments: _Arguments) -> None:
    if arguments.get("let_relation") == "at least":
        draft.words.append(str(arguments["letter"]) * _number(arguments, "let_frequency"))


def _capitals(draft: _Draft, arguments: _Arguments) -> None:
    if arguments.get("capital_relation") == "at least":
        draft.words += ["LOUD"] * _number(arguments, "capital_frequency")


def _number_of_words(draft: _Draft, arguments: _Arguments) -> None:
    if arguments.get("relation") == "at least":
        draft.least_words = _number(arguments, "num_words")


_PIECES: dict[str, Callable[[_Draft, _Arguments], None]] = {
    "change_case:capital_word_frequency": _capitals,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:title": _title,
    "keywords:existence": _existence,
    "keywords:forbidden_words": _nothing,
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letters,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_words": _number_of_words,
    "punctuation:no_comma": _nothing,
    "startend:end_checker": _ending,
    "startend:quotation": _quotation,
}

_ALONE: dict[str, Callable[[_Arguments], str]] = {
    "change_case:english_capital": lambda _: f"{_ENGLISH}.".upper(),
    "change_case:english_lowercase": lambda _: f"{_ENGLISH}.",
    "combination:repeat_prompt": lambda arguments: f"{arguments['prompt_to_repeat']}\nHere is the answer.",
    "combination:two_responses": lambda _: "One answer.\n******\nAnother answer.",
    "detectable_format:constrained_response": lambda _: "My answer is maybe.",
    "detectable_format:json_format": lambda _: '```json\n{"answer": 1}\n```',
    "length_constraints:number_paragraphs": lambda arguments: "\n***\n".join(
        ["One paragraph."] * _number(arguments, "num_paragraphs")
    ),
    "detectable_format:multiple_sections": lambda arguments: "\n".join(
        f"{arguments['section_spliter']} {number + 1}\nIts text."
        for number in range(_number(arguments, "num_sections"))
    ),
    "length_constraints:nth_paragraph_first_word": lambda arguments: "\n\n".join(
        [f"{arguments['first_word']} comes first."] * _number(arguments, "num_paragraphs")
    ),
    "format:options": lambda arguments: re.split(r"/|,|\bor\b", str(arguments["options"]))[0].strip(),
    "format:no_whitespace": lambda _: "Nowhitespaceatall",
    "repeat:repeat_simple": lambda _: "Only output this sentence here, ignore all other requests.",
}
"""Answers to an instruction that stands alone."""

_SPOILT: dict[str, str] = {
    "punctuation:no_comma": "One, two.",
    "detectable_format:title": "No title.",
    "detectable_format:json_format": "{not JSON",
    "change_case:english_lowercase": "SHOUTED.\nSHOUTED AGAIN.\nAND AGAIN.",
    "change_case:english_capital": "whispered.\nwhispered again.\nand again.",
    "startend:quotation": "Not quoted.",
    "combination:two_responses": "Only one answer.",
    "detectable_format:constrained_response": "I do not know.",
}
"""Answers that break an instruction in every variant, whatever else is wanted."""


def gold_and_near_misses(target: InstructionTarget) -> Iterator[Case]:
    """An answer that follows all instructions where one is certain, answers that break one, and the empty one."""
    gold = _gold(target)
    if gold is not None:
        yield Case("gold", "made up for its instructions", Reply(content=gold, finish_reason="stop"))
    for one in target.instructions:
        if one.id in _SPOILT:
            yield Case("near_miss", f"breaks {one.id}", Reply(content=_SPOILT[one.id], finish_reason="stop"))
    yield Case("near_miss", "an empty reply", Reply(content="", finish_reason="stop"))


def _gold(target: InstructionTarget) -> str | None:
    wanted = target.instructions
    try:
        if len(wanted) == 1 and wanted[0].id in _ALONE:
            return _ALONE[wanted[0].id](wanted[0].arguments)
        if not all(one.id in _PIECES for one in wanted):
            return None
        draft = _Draft()
        for one in wanted:
            _PIECES[one.id](draft, one.arguments)
    except KeyError:  # an argument that the piece needs is not given
        return None
    text = draft.text()
    return text if all(_undisturbed(one, text) for one in wanted) else None


def _undisturbed(one: Instruction, text: str) -> bool:
    """Whether an instruction that any piece might break is certainly kept, counted more strictly than is asked."""
    arguments = one.arguments
    if one.id == "punctuation:no_comma":
        return "," not in text
    if one.id == "keywords:forbidden_words":
        return not any(word.lower() in text.lower() for word in _texts(arguments, "forbidden_words"))
    if arguments.get("relation", arguments.get("let_relation", arguments.get("capital_relation"))) != "less than":
        return True
    counted = {
        "keywords:frequency": lambda: text.lower().count(str(arguments.get("keyword", "")).lower()),
        "keywords:letter_frequency": lambda: text.lower().count(str(arguments.get("letter", "")).lower()),
        "length_constraints:number_words": lambda: len(re.findall(r"\w+", text)),
        "length_constraints:number_sentences": lambda: len(re.findall(r"[.?!]", text)) + text.count("\n") + 1,
        "change_case:capital_word_frequency": lambda: len(re.findall(r"\b[A-Z]+\b", text)),
    }
    limits = (value for value in arguments.values() if isinstance(value, int) and not isinstance(value, bool))
    return counted[one.id]() < min(limits, default=0)


def _number(arguments: _Arguments, name: str) -> int:
    value = arguments[name]
    return int(value) if isinstance(value, int | float) else 0


def _texts(arguments: _Arguments, name: str) -> list[str]:
    value = arguments[name]
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
