"""Keys, tokens and passwords that are visibly none: prefix and length stay, the rest says so."""

import re
from collections.abc import Iterator
from hashlib import blake2b

from harness.curate.surrogates.words import refill

__all__ = ["dead", "is_dead"]

_PREFIX = re.compile(r"eyJ|AKIA|ASIA|AIza|EAAA|ATATT3|ya29\.|SG\.|(?:[A-Za-z]{2,10}\d{0,2}[\-_]){1,3}|[A-Za-z]{2,8}\.")
_PEM = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
_MARK = "REDACTED"
_HEX_MARK = "dead0dead0"
_LEAST = 8
"""Characters behind the mark, so that no two are the same."""
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def is_dead(value: str) -> bool:
    """Whether it is one of ours already."""
    body = _body(_PEM.sub("", value).replace("\\n", ""))
    plain = "".join(char for char in body if char.isalnum())
    return plain.lower().startswith((_MARK.lower(), _HEX_MARK))


def dead(key: bytes, value: str, *, prefixed: bool) -> Iterator[str]:
    """What may stand for a secret, best first. prefixed: whether its beginning names the provider and stays."""
    frames = [(match.start(), match.end()) for match in _PEM.finditer(value)]
    if frames:
        first, last = frames[0][1], frames[-1][0] if len(frames) > 1 else len(value)
        for body in _bodies(key, value[first:last]):
            yield value[:first] + body + value[last:]
        return
    body = _body(value) if prefixed else value
    prefix = value[: len(value) - len(body)]
    for drawn in _bodies(key, body):
        yield prefix + drawn


def _body(value: str) -> str:
    match = _PREFIX.match(value)
    return value if match is None or len(value) - match.end() < _LEAST else value[match.end() :]


def _bodies(key: bytes, body: str) -> Iterator[str]:

    plain = [char for char in body if char.isascii() and char.isalnum()]
    hexadecimal = len(plain) >= len(_HEX_MARK) + _LEAST and all(char in "0123456789abcdef" for char in plain)
    mark = _HEX_MARK if hexadecimal else _MARK
    if len(plain) < len(mark) + _LEAST:
        mark = ""
    if all(not char.isalpha() or char.islower() for char in plain):
        mark = mark.lower()
    for turn in range(1 << 16):
        chars = [
            _like(char, byte, hexadecimal=hexadecimal)
            for char, byte in zip(plain, _stream(key, body, turn, len(plain)), strict=True)
        ]
        chars[: len(mark)] = mark
        yield refill(body, chars)


def _stream(key: bytes, text: str, turn: int, size: int) -> bytes:
    seed = blake2b(
        text.encode("utf-8", "surrogatepass"), key=key, salt=turn.to_bytes(4, "big"), digest_size=32
    ).digest()
    blocks = (blake2b(block.to_bytes(4, "big"), key=seed).digest() for block in range(size // 64 + 1))
    return b"".join(blocks)[:size]


def _like(char: str, byte: int, *, hexadecimal: bool) -> str:
    if hexadecimal:
        return "0123456789abcdef"[byte % 16]
    if char.isdigit():
        return str(byte % 10)
    return _UPPER[byte % 26] if char.isupper() else _UPPER[byte % 26].lower()
