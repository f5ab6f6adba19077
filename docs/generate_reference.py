"""Writes docs/reference.md: verbs, and every key with type, default and meaning; with `--check` it only compares."""

import ast
import inspect
import itertools
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from generated import keep
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from harness.config.verb import VerbConfig
from harness.config.verbs import VERBS
from harness.paths import conf_dir

PAGE = Path(__file__).with_name("reference.md")
PLAIN = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null"}
ELSEWHERE = {
    "run": "index", "receive": "capture", "fetch": "airgapped", "validate": "suites", "export": "inspect",
    "doctor": "fit", "forget": "collect", "rotate": "collect", "accept": "gate",
}  # fmt: skip
"""The page of a verb whose file names none, where it has another name than the verb."""
HEAD = """# Reference: verbs and keys

Generated from the configuration's records and `conf/` by `docs/generate_reference.py`: change those files, not this.

A verb is chosen with `do=NAME`; without it, `run`. Every key is typed as `KEY=VALUE`, of a record within another one as
`outer.inner=VALUE`; lists as `[a,b]`. `python -m harness do=NAME --cfg job` prints what each has, and from where.
A *needed* key has no default of the record's; the verb's file in `conf/do/` or a group (`model=NAME`) may set one.
Every verb has the keys of [VerbConfig](#verbconfig), too. Options of a group stand in the folder of its name: """


def helped(verb: str) -> tuple[str, str]:
    """The first sentence of the verb's file, and a link to the page that it names."""
    lines = (conf_dir() / "do" / f"{verb}.yaml").read_text(encoding="utf-8").splitlines()
    said = [line.lstrip("# ") for line in itertools.takewhile(lambda one: one.startswith("#"), lines)]
    text = " ".join(one for one in said if not one.startswith("@package"))
    found = re.search(r"docs/(\w+)\.md", text)
    page = found[1] if found else ELSEWHERE.get(verb, verb)
    sentence = re.split(r"\. |: do=| \(docs/|\.$", text)[0].replace("<", "&lt;")
    return sentence + ".", f"[{page}]({page}.md)"


def meanings(record: type[BaseModel]) -> dict[str, str]:
    """What the source says below each field, inherited ones included; else what it says of the record that is held."""
    found: dict[str, str] = {}
    for owner in reversed(record.__mro__):
        if not issubclass(owner, BaseModel) or not owner.__module__.startswith("harness"):
            continue
        parsed = ast.parse(inspect.getsource(owner)).body[0]
        assert isinstance(parsed, ast.ClassDef)
        for line, after in zip(parsed.body, [*parsed.body[1:], None], strict=True):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                found[line.target.id] = words(after)
    return {name: found.get(name) or whole(field) for name, field in record.model_fields.items()}


def whole(field: FieldInfo) -> str:
    """What is said of the record that a field holds, for a field of which nothing is; of several records nothing."""
    held = list(dict.fromkeys(records_in(field.annotation)))
    return " ".join(inspect.cleandoc(held[0].__doc__ or "").split()) if len(held) == 1 else ""


def words(after: ast.stmt | None) -> str:
    """The text that stands under a field, on one line, and nothing as it is typed."""
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
        return " ".join(after.value.value.split()).replace("None:", "null:")
    return ""


def records_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The records that a type is made of, in order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in typing.get_args(annotation):
        yield from records_in(one)


def reached(first: Iterable[type[BaseModel]]) -> list[type[BaseModel]]:
    """These records and all that they hold, each once."""
    found: dict[type[BaseModel], None] = {}
    waiting = list(first)
    while waiting:
        record = waiting.pop(0)
        if record in found:
            continue
        found[record] = None
        waiting += [one for field in record.model_fields.values() for one in records_in(field.annotation)]
    return list(found)


def default(field: FieldInfo) -> str:
    """The default as it is typed on the command line; empty where it is a record of its own."""
    value = field.get_default(call_default_factory=True) if not field.is_required() else PydanticUndefined
    if value is PydanticUndefined:
        return "*needed*"
    if isinstance(value, BaseModel):
        return ""
    return f"`{typed(value)}`"


def typed(value: Any) -> str:
    """A value as Hydra takes it.

    >>> typed((1, "a")), typed(None), typed(True)
    ('[1,a]', 'null', 'true')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(typed, value))}]"
    if isinstance(value, BaseModel):
        return "{" + ",".join(f"{key}:{typed(one)}" for key, one in value.model_dump(mode="json").items()) + "}"
    return str(value) if value != "" else "''"


def kind(annotation: Any) -> str:
    """A type for people: choices apart, records as links.

    >>> kind(typing.Literal["a", "b"] | None), kind(tuple[int, ...])
    ('`a`, `b` or null', 'list of integer')
    """
    arguments, origin = typing.get_args(annotation), typing.get_origin(annotation)
    if origin is typing.Annotated:
        return kind(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(dict.fromkeys(map(kind, arguments)))
    if origin is not None and issubclass(origin, list | tuple):
        return "list of " + kind(arguments[0])
    if origin is not None:
        return "map of " + kind(arguments[-1])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return PLAIN.get(annotation, "any")


def table(record: type[BaseModel]) -> str:
    """The keys of a record."""
    about = meanings(record)
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in record.model_fields.items():
        if name != "do":
            meaning = about.get(name, "").replace("|", "\\|")
            rows.append(f"| `{field.alias or name}` | {kind(field.annotation)} | {default(field)} | {meaning} |")
    return "\n".join(rows)


def verbs() -> str:
    """What each verb does, and the keys that it has besides those of every verb."""
    rows = ["| `do=` | what it does | keys | page |", "| --- | --- | --- | --- |"]
    for verb, record in VERBS.items():
        keys = " ".join(f"`{name}`" for name in record.model_fields if name not in VerbConfig.model_fields)
        sentence, link = helped(verb)
        rows.append(f"| [`{verb}`](#{record.__name__.lower()}) | {sentence} | {keys} | {link} |")
    return "\n".join(rows)


def page() -> str:
    """The whole page."""
    groups = sorted(path.name for path in conf_dir().iterdir() if path.is_dir())
    parts = [HEAD + ", ".join(f"`{name}`" for name in groups) + ".", "", "## Verbs", "", verbs(), ""]
    for record in sorted(reached([VerbConfig, *VERBS.values()]), key=lambda one: one.__name__):
        about = " ".join((inspect.cleandoc(record.__doc__ or "")).split())
        parts += [f"## {record.__name__}", "", *([about, ""] if about else []), table(record), ""]
    return "\n".join(parts).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """0 when the page is as it should be (or was written), 1 when `--check` finds it behind."""
    return keep(
        PAGE, page(), "docs/reference.md is behind harness/config; run: python docs/generate_reference.py", arguments
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
