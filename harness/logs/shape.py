"""The keys at the beginning of a JSON text that may be cut off anywhere: what a format is known by."""

import re

__all__ = ["shape", "top_keys"]

_TOKEN = re.compile(rb'(?s)"((?:[^"\\]|\\.|\\\Z)*+)(?:"|\Z)|[][{}:,]')
"""A string, also one that is cut off: it is taken to the end, so that no quote in it is looked at again."""
_DEEPEST = 4
_MOST_KEYS = 4000


def shape(head: bytes) -> frozenset[str]:
    """Paths of keys to a depth of four, without the lists on the way.

    >>> sorted(shape(b'{"a": [{"b": "x", "c"'))
    ['a', 'a.b']
    """
    paths: set[str] = set()
    stack: list[str | None] = []
    word: bytes | None = None
    seen = 0
    for token in _TOKEN.finditer(head.lstrip(b"\xef\xbb\xbf \t\r\n")):
        mark = token.group()
        if mark[:1] == b'"':
            word = token.group(1)
        elif mark == b":" and word is not None and stack:
            stack[-1] = word[:80].decode("utf-8", "replace")
            if len(stack) <= _DEEPEST * 2:
                paths.add(".".join(key for key in stack if key is not None))
            seen, word = seen + 1, None
        elif mark in b"[{":
            stack.append(None)
        elif mark in b"]}":
            if stack:
                stack.pop()
            if not stack and paths:
                break
        if seen >= _MOST_KEYS:
            break
    return frozenset(path for path in paths if path.count(".") < _DEEPEST)


def top_keys(head: bytes) -> list[str]:
    """The keys of the first object, sorted."""
    return sorted(path for path in shape(head) if "." not in path)
