"""The program in a chat reply, by stated rules (docs/code.md): which text it is, and how that can be read."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from harness.records import CodeTarget
from harness.sandbox.run import Reading

__all__ = ["Block", "answer_of", "blocks_of", "readings_of"]

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#.-]*)[^`\n]*$")
_PYTHON = {"python", "py", "python3", "py3", "python3.11", "python-repl"}
_STATEMENT = re.compile(r"(?:def |async def |class |import |from \w+(?:\.\w+)* import |@|if __name__\b)")
_MARGIN = re.compile(
    r"(?:def |async def |class |import |from |@|#|if |for |while |try:|with |else:|elif |except|finally:|return\b|"
    r"assert |print\(|[)\]}\"']|[A-Za-z_][\w.\[\]'\"]*(?:\s*:\s*[^=\s][^=]*)?\s*[-+*/|&]?=(?!=))"
)
_DEFINITIONS = re.compile(r"(?:def |async def |class |import |from |@|#|[)\]}])")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced part of a reply."""

    tag: str
    """Language as the fence says it, in lower case; empty where it says none."""
    code: str
    closed: bool = True
    """Whether its end was there; the last block of a reply that was cut may have none."""


def answer_of(text: str) -> str:
    """The reply without what was thought aloud: what stands after the last `</think>`, nothing after an open one."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "</think>" in text:
        return text.rpartition("</think>")[2]
    return text.partition("<think>")[0]


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks in order. A fence may be indented, and is closed by one as long of its kind, or by the end."""
    found: list[Block] = []
    lines: list[str] = []
    opened: re.Match[str] | None = None
    for line in text.split("\n"):
        if opened is None:
            opened, lines = _FENCE.match(line), []
            continue
        if _closes(line, opened["fence"]):
            last = line.rstrip().rstrip(opened["fence"][0])
            found.append(_block(opened, [*lines, last] if last.strip() else lines, closed=True))
            opened = None
        else:
            lines.append(line)
    if opened is not None:
        found.append(_block(opened, lines, closed=False))
    return found


def _closes(line: str, fence: str) -> bool:
    """Whether a line ends a block: the fence alone, or at the end of its last line of code."""
    stripped = line.strip()
    if set(stripped) == {fence[0]}:
        return len(stripped) >= len(fence)
    return stripped.endswith(fence) and stripped.count(fence) == 1


def _block(opened: re.Match[str], lines: Sequence[str], *, closed: bool) -> Block:
    indent = opened["indent"]
    code = "\n".join(line.removeprefix(indent) for line in lines)
    return Block(opened["tag"].lower(), code + "\n", closed)


def readings_of(text: str, target: CodeTarget) -> tuple[Reading, ...]:
    """What a reply can be read as, likeliest first; empty where it holds nothing."""
    answer = answer_of(text)
    found = blocks_of(answer)
    blocks = _wanted(found)
    if blocks:
        return _fenced(blocks, target)
    if found or not answer.strip():
        return ()
    return _bare(answer, target)


def _wanted(blocks: Sequence[Block]) -> list[Block]:
    """Blocks marked as Python; else those without a mark; else all. Empty ones are left out."""
    full = [one for one in blocks if one.code.strip()]
    marked = [one for one in full if one.tag in _PYTHON]
    return marked or [one for one in full if not one.tag] or full


def _fenced(blocks: Sequence[Block], target: CodeTarget) -> tuple[Reading, ...]:
    name = target.entry_point
    whole = [place for place, one in enumerate(blocks) if _defines(one.code, name)]
    if whole:
        closed = [place for place in whole if blocks[place].closed]
        place = (closed or whole)[-1]
        helpers = [one.code for one in blocks[:place] if _only_definitions(one.code) and not _defines(one.code, name)]
        return (Reading("\n".join([*helpers, _at_margin(blocks[place].code)]), beside_prompt=True),)
    if not target.prompt:
        return (Reading("\n".join(one.code for one in blocks), beside_prompt=True),)
    return _continued(blocks[0].code, target.prompt)


def _defines(code: str, name: str | None) -> bool:
    """Whether the code defines the name at its margin, or at the one depth that all of it has."""
    return (
        name is not None
        and re.search(rf"^(?:async )?(?:def|class) {re.escape(name)}\b|^{re.escape(name)}\s*=", _at_margin(code), re.M)
        is not None
    )


def _at_margin(code: str) -> str:
    return textwrap.dedent(code)


def _only_definitions(code: str) -> bool:
    """Whether nothing but definitions and imports stands at the margin: running it shows and asks for nothing."""
    margin = [line for line in _at_margin(code).split("\n") if line[:1].strip()]
    return bool(margin) and all(_DEFINITIONS.match(line) for line in margin)


def _bare(answer: str, target: CodeTarget) -> tuple[Reading, ...]:
    """A reply without a fence: the definition with what belongs to it, or the prompt's continuation."""
    code = answer.strip("\n").rstrip() + "\n"
    if _defines(_program_part(code), target.entry_point):
        return (Reading(_program_part(code), beside_prompt=True),)
    if not target.prompt:
        return (Reading(_program_part(code) or code, beside_prompt=True),)
    return _continued(code, target.prompt)


def _program_part(text: str) -> str:
    """From the first line that begins a definition or an import to the first line at the margin that is no code."""
    lines = text.split("\n")
    begin = next((place for place, line in enumerate(lines) if _STATEMENT.match(line)), None)
    if begin is None:
        return ""
    end = next(
        (place for place in range(begin, len(lines)) if lines[place][:1].strip() and not _MARGIN.match(lines[place])),
        len(lines),
    )
    return "\n".join(lines[begin:end]) + "\n"


def _continued(code: str, prompt: str) -> tuple[Reading, ...]:
    """What goes on from the prompt: as it stands, with the first line's lost indentation, or all of it indented.

    A body that is indented ends at the first line at the margin: what follows is no part of the function.
    """
    head = prompt if prompt.endswith("\n") else prompt + "\n"
    lines = code.strip("\n").split("\n")
    depth = _depth(prompt)
    if lines[0][:1].isspace():
        bodies = ["\n".join(_until_margin(lines))]
    else:
        rest = _until_margin(lines[1:])
        bodies = ["\n".join([depth + lines[0], *rest]), textwrap.indent("\n".join(lines), depth)]
        if len(rest) < len(lines) - 1:  # more lines at the margin: likely all of them lost it
            bodies.reverse()
    return tuple(Reading(f"{head}{body}\n") for body in bodies)


def _until_margin(lines: Sequence[str]) -> list[str]:
    end = next((place for place, line in enumerate(lines) if line[:1].strip()), len(lines))
    return list(lines[:end])


def _depth(prompt: str) -> str:
    """The indentation of the function's body: that of the prompt's last indented line, four spaces if there is none."""
    indents = [
        line[: len(line) - len(line.lstrip())] for line in prompt.split("\n") if line[:1].isspace() and line.strip()
    ]
    first = re.search(r"^(?:async )?def .*?:\s*\n(?P<indent>[ \t]+)", prompt, re.M | re.S)
    return str(first["indent"]) if first else indents[-1] if indents else "    "
