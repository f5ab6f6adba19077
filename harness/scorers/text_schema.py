"""JSON values held against a JSON Schema, whose patterns cannot hang the run."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import JsonValue

from harness.errors import ConfigError, extra
from harness.records import TextTarget
from harness.scorers.text_pattern import TIMEOUT_S, compiled_pattern
from harness.scorers.text_verdict import quoted, unreadable_target

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["SlowPatternError", "schema_complaint"]

_until: ContextVar[float] = ContextVar("_until")
"""When the patterns of the schema at hand must have answered, on the clock of `time.monotonic`."""


class SlowPatternError(Exception):
    """A pattern of the schema ran away on this value; the message says which."""


class _PatternError(Exception):
    """A pattern that is none."""


def schema_complaint(value: JsonValue, target: TextTarget, sample: str) -> str | None:
    """The nearest reason why a value does not fulfil the target's schema; None if it does.

    Patterns are searched for by the package `regex`, and all of one schema have 0.2 s together on one value. Raises
    SlowPatternError where that is not enough, DataError for a schema that is none.
    """
    validator = _validator(orjson.dumps(target.schema_))
    if isinstance(validator, str):
        raise unreadable_target(sample, f"its schema {validator}")
    from referencing.exceptions import Unresolvable

    token = _until.set(time.monotonic() + TIMEOUT_S)
    try:
        error = next(iter(validator.iter_errors(value)), None)
    except RecursionError:
        return "it is nested too deeply"
    except ArithmeticError:  # a whole number of hundreds of digits beside a fraction
        return "it holds a number that is too large to be held against the schema"
    except Unresolvable as unresolvable:
        raise unreadable_target(sample, f"its schema points to {unresolvable.ref}, which is not in it") from None
    except _PatternError as none:
        raise unreadable_target(sample, f"its schema has a pattern that is none: {none}") from None
    finally:
        _until.reset(token)
    if error is None:
        return None
    where = ".".join(str(one) for one in error.absolute_path)
    return f"{where or 'the value'}: {' '.join(error.message.split())[:160]}"


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> "Validator | str":
    """The validator of a schema by JSON Schema 2020-12, or what is wrong with it.

    No reference leaves the schema, so nothing is fetched.
    """
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import extend
        from referencing import Registry
    except ImportError:
        raise ConfigError(f"match json with a schema needs jsonschema: {extra('suites')}") from None
    loaded = orjson.loads(schema)
    try:
        Draft202012Validator.check_schema(loaded)
    except SchemaError as error:
        return f"is no JSON Schema ({error.message[:120]})"
    if b'"patternProperties":' in schema and b'"unevaluatedProperties":' in schema:
        # of all keywords the one that jsonschema searches for patterns without a way to bound it
        return "has unevaluatedProperties beside patternProperties, which is not supported: use additionalProperties"
    keywords: dict[str, Callable[..., Iterator[Any]]] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    bounded: Any = extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]
    made: Validator = bounded(_without_dialect(loaded), registry=Registry())
    return made


def _without_dialect(schema: Any) -> Any:
    """A schema without `$schema`, where jsonschema would go on with a validator of its own, patterns unbounded."""
    if isinstance(schema, list):
        return [_without_dialect(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: one for name, one in schema.items() if not (name == "$schema" and isinstance(one, str))}
    return {name: one if name in {"const", "enum"} else _without_dialect(one) for name, one in kept.items()}


def _found(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, within the time that is left. Raises SlowPatternError beyond it."""
    compiled = compiled_pattern(pattern)
    if isinstance(compiled, str):
        raise _PatternError(f"{quoted(pattern)} ({compiled})")
    try:
        left = _until.get() - time.monotonic()
        if left > 0:
            return compiled.search(text, timeout=left) is not None
    except TimeoutError:
        pass
    raise SlowPatternError(
        f"the schema's pattern {quoted(pattern)} takes longer than {TIMEOUT_S:g} s: "
        "rewrite it without nested repetition"
    )


def _pattern(validator: Any, pattern: str, instance: object, schema: object) -> Iterator[Any]:
    del schema
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not _found(pattern, str(instance)):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: object, schema: object) -> Iterator[Any]:
    del schema
    if isinstance(instance, dict):
        for pattern, subschema in patterns.items():
            for name, value in instance.items():
                if _found(pattern, name):
                    yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: object, instance: object, schema: Mapping[str, Any]
) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if not isinstance(instance, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    further = [name for name in instance if name not in named and not any(_found(one, name) for one in patterns)]
    if isinstance(allowed, dict):
        for name in further:
            yield from validator.descend(instance[name], allowed, path=name)
    elif not allowed and further:
        names = ", ".join(repr(name) for name in further)
        yield ValidationError(f"Additional properties are not allowed ({names})")
