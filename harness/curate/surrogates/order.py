"""A secret order of the numbers below n: whoever has the key finds the next one, and nobody else does."""

from collections.abc import Callable
from hashlib import blake2b
from math import isqrt

__all__ = ["SecretOrder"]

_ROUNDS = 10


class SecretOrder:
    """All numbers below n in one ring, in an order that the key decides.

    A Feistel network over two halves with cycle walking, as in NIST SP 800-38G (FF1), with keyed BLAKE2b for AES: the
    libraries for it are unmaintained or pull in a cipher. The next number in the ring stands for a number, so nothing
    stands for itself, and no two have the same, without a table of what was given out.
    """

    def __init__(self, key: bytes, label: str) -> None:
        self._key = blake2b(label.encode(), key=key, digest_size=32).digest()

    def after(self, number: int, n: int, valid: Callable[[int], bool] | None = None) -> int:
        """The next valid number in the ring of those below n; the number itself where no other is valid."""
        place = number
        small, large = _halves(n)
        walked = self._walk(place, n, small, large, forth=True)
        while True:
            walked = (walked + 1) % n
            place = self._walk(walked, n, small, large, forth=False)
            if place == number or valid is None or valid(place):
                return place

    def _walk(self, number: int, n: int, small: int, large: int, *, forth: bool) -> int:
        while True:
            number = self._pass(number, small, large, forth=forth)
            if number < n:
                return number

    def _pass(self, number: int, small: int, large: int, *, forth: bool) -> int:
        left, right = divmod(number, large)
        for turn in range(_ROUNDS) if forth else range(_ROUNDS - 1, -1, -1):
            if turn % 2:
                change = self._draw(turn, right, small)
                left = (left + change if forth else left - change) % small
            else:
                change = self._draw(turn, left, large)
                right = (right + change if forth else right - change) % large
        return left * large + right

    def _draw(self, turn: int, half: int, below: int) -> int:
        size = min(64, below.bit_length() // 8 + 9)
        data = half.to_bytes((half.bit_length() + 7) // 8 or 1, "big")
        return (
            int.from_bytes(blake2b(data, key=self._key, salt=bytes([turn]), digest_size=size).digest(), "big") % below
        )


def _halves(n: int) -> tuple[int, int]:
    """Two factors whose product is n or a little more."""
    large = isqrt(n - 1) + 1 if n > 1 else 1
    return -(-n // large), large
