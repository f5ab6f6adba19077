"""Mail addresses, hosts and machines: public providers stay, others get a made-up name, addresses of documentation."""

import ipaddress
import re
from collections.abc import Iterator

from harness.curate.pii.places import words as listed
from harness.curate.surrogates.words import Words

__all__ = ["addresses", "domain", "email", "is_public", "mac"]

_PUBLIC = frozenset(
    listed(
        "gmail.com googlemail.com yahoo.com yahoo.co.uk ymail.com hotmail.com hotmail.co.uk outlook.com "
        "live.com msn.com icloud.com me.com mac.com aol.com proton.me protonmail.com gmx.com gmx.de gmx.net "
        "web.de mail.com mail.ru yandex.ru yandex.com qq.com 163.com 126.com zoho.com fastmail.com "
        "example.com example.org example.net localhost github.com raw.githubusercontent.com gitlab.com "
        "bitbucket.org google.com www.google.com docs.google.com googleapis.com wikipedia.org "
        "en.wikipedia.org python.org docs.python.org stackoverflow.com w3.org www.w3.org schema.org "
        "json-schema.org openai.com api.openai.com anthropic.com api.anthropic.com huggingface.co youtube.com "
        "www.youtube.com developer.mozilla.org apache.org www.apache.org "
        "readthedocs.io ietf.org pypa.io sourceforge.net mozilla.org microsoft.com djangoproject.com numpy.org "
        "scipy.org matplotlib.org pandas.pydata.org scikit-learn.org sphinx-doc.org"
    )
)
_RESERVED = (".example", ".test", ".invalid", ".localhost", ".local")
_URL = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.\-]*://)?(?P<host>[^/:?#\s]+)(?P<port>:\d+)?(?P<rest>.*)", re.DOTALL)
_KEPT_PATH = frozenset(
    listed(
        "www api v v1 v2 v3 docs doc en us html htm php aspx json xml pdf png jpg index home login user users "
        "account accounts order orders search blog news about help support admin static assets images img id "
        "page item items product products http https com org net"
    )
)
_SECOND = frozenset(listed("co com org net gov edu ac"))


def email(words: Words, value: str) -> str:
    """An address whose name is made of the surrogates of its words; public mail providers stay."""
    local, at, host = value.rpartition("@")
    if not at:  # spelled out: jo [at] firm [dot] com
        return words.phrase(value, frozenset(("at", "dot", "com", "org", "net")))
    return words.phrase(local) + at + _host(words, host)


def _host(words: Words, host: str) -> str:
    if _is_public(host):
        return host
    labels = host.split(".")
    kept = 2 if len(labels) > 2 and labels[-2].lower() in _SECOND and len(labels[-1]) == 2 else 1
    front = [label if label.lower() in _KEPT_PATH else words.phrase(label) for label in labels[:-kept]]
    return ".".join((*front, *labels[-kept:]))


def _is_public(host: str) -> bool:
    """Whether a host, or a domain that it is part of, is everybody's."""
    small = host.lower()
    if small.endswith(_RESERVED) or "." not in small:
        return True
    labels = small.split(".")
    return any(".".join(labels[place:]) in _PUBLIC for place in range(len(labels) - 1))


def is_public(value: str) -> bool:
    """Whether a host or URL leads to what everybody uses: a library's documentation, a code host. Not with a query."""
    match = _URL.fullmatch(value)
    return match is not None and "?" not in value and _is_public(match["host"].rpartition("@")[2])


def domain(words: Words, value: str) -> str:
    """A host or URL; of one that is not public the path too, word by word."""
    match = _URL.fullmatch(value)
    if match is None:
        return words.phrase(value, _KEPT_PATH)
    host = _host(words, match["host"])
    path, mark, query = match["rest"].partition("?")
    if not _is_public(match["host"]):
        path = words.phrase(path, _KEPT_PATH)
    rest = path + mark + words.phrase(query, _KEPT_PATH)
    return f"{match['scheme'] or ''}{host}{match['port'] or ''}{rest}"


def mac(words: Words, value: str) -> Iterator[str]:
    """What may stand for an address of a network card: locally administered ones (02:…), which no maker gave out."""
    plain = _NO_HEX.sub("", value)
    if len(plain) != _MAC_DIGITS or len(plain) != sum(map(str.isalnum, value)):
        yield words.mixed(value)
        return
    place = words.order("mac").after(int(plain, 16), 1 << 48)
    for more in range(1 << 16):
        drawn = f"02{(place + more) % (1 << 40):010x}"
        fresh = iter(drawn.upper() if plain.isupper() else drawn)
        yield "".join(next(fresh) if char.isalnum() else char for char in value)


_NO_HEX = re.compile(r"[^0-9a-fA-F]")
_MAC_DIGITS = 12
_V4 = tuple(ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
_MORE_V4 = (ipaddress.ip_network("198.18.0.0/15"), ipaddress.ip_network("240.0.0.0/4"))
_V6 = ipaddress.ip_network("2001:db8::/32")


def addresses(words: Words, value: str) -> Iterator[str]:
    """What may stand for an address of the internet protocol, best first: of documentation (RFC 5737, RFC 3849).

    Those 768 are fewer than a log may hold: behind them come those for benchmarks (RFC 2544) and reserved ones.
    None for what is in documentation's ranges already.
    """
    text, mark, zone = value.partition("%")
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address not in _V6:
            place = words.order("ip6").after(int(address), 1 << 128)
            for more in range(1 << 16):
                yield str(_V6[(place + more) % _V6.num_addresses]) + mark + zone
        return
    if any(address in net for net in (*_V4, *_MORE_V4)):
        return
    place = words.order("ip4").after(int(address), 1 << 32)
    for turn in range(256 * len(_V4)):
        net, host = divmod((place + turn) % (256 * len(_V4)), 256)
        yield str(_V4[net][host])
    for wide in _MORE_V4:
        for turn in range(wide.num_addresses):
            yield str(wide[(place + turn) % wide.num_addresses])
