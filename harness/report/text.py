"""Text of unknown origin made safe to look at: invisible characters become visible, long texts shorter."""

import re
from typing import Final

__all__ = ["clip", "visible"]

_HIDDEN: Final = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline
    "\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e"  # soft hyphen, Arabic mark, fillers
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"  # zero width, line separators, bidi controls
    "\ud800-\udfff\ufff9-\ufffb\ufffe\uffff"  # lone surrogates, annotations, non-characters
    "\U000e0000-\U000e007f"  # tags: an invisible alphabet
    "]"
)
_TAIL_SHARE: Final = 5


def visible(text: str) -> str:
    r"""The text with every control, bidi, zero-width and surrogate character spelled out.

    Carriage returns of Windows line ends are dropped rather than spelled. The result can be encoded as UTF-8.
    >>> visible("a\u202eb\r\n")
    'a⟦U+202E⟧b\n'
    """
    return _HIDDEN.sub(lambda found: f"⟦U+{ord(found.group()):04X}⟧", text.replace("\r\n", "\n"))


def clip(text: str, limit: int) -> str:
    """The text if it has at most `limit` characters, else its head and tail around a note of what is left out.

    The note is not counted in the limit. A fifth of the limit goes to the tail, where replies often end badly.
    >>> clip("abcdefghij" * 2, 10)
    'abcdefgh … 10 characters left out … ij'
    """
    if len(text) <= limit:
        return text
    tail = limit // _TAIL_SHARE
    left_out = len(text) - limit
    return f"{text[: limit - tail]} … {left_out:,} characters left out … {text[len(text) - tail :]}"
