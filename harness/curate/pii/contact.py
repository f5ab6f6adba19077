"""What names a person or a machine on a network: mail and network addresses, domains, names in paths."""

import re

from harness.curate.pii.checks import ip_valid
from harness.curate.pii.places import words
from harness.curate.pii.recognizer import Recognizer

__all__ = ["CONTACT"]


def _mail(value: str) -> bool:
    """`git@github.com` names a service, `user@localhost.service`, `name@2x.png` and `22-@pytest.mark.x` nothing."""
    name, _, domain = value.rpartition("@")
    return (
        ".." not in value
        and not domain.startswith("pytest.")
        and name.lower() != "git"
        and domain.rpartition(".")[2].lower() not in _FILE_ENDS
    )


_FILE_ENDS = frozenset(words("png jpg jpeg gif svg webp py js ts tsx json css html md txt yml yaml sh service"))
_USUAL = frozenset(
    words(
        "user users username admin root ubuntu ec2-user shared "
        "public default runner guest app vscode node www www-data "
        "home "
        "me you name your myuser testuser someuser jovyan circleci travis vagrant openhands library linuxbrew"
    )
)


def _person_folder(value: str) -> bool:
    return value.lower() not in _USUAL and not value.startswith((".", "<", "{", "$"))


def _v4(value: str) -> bool:
    return all(not part.startswith("0") or part == "0" for part in value.split(".")) and ip_valid(value)


def _v6(value: str) -> bool:
    """`::` and `a::b` are operators and namespaces in code: at least two colons and three groups or a digit in one."""
    groups = [group for group in value.split(":") if group]
    return len(groups) >= 3 and any(char.isdigit() for char in value) and ip_valid(value)


CONTACT: tuple[Recognizer, ...] = (
    Recognizer(
        "EMAIL_ADDRESS",
        "email_spelled",
        re.compile(r"\b[\w.+\-]{1,64}\s?[\[(]at[\])]\s?[\w\-]{1,63}(?:\s?(?:\.|[\[(]dot[\])])\s?[\w\-]{2,63}){1,4}\b"),
        ("[at]", "(at)"),
        score=0.9,
        small=True,
    ),
    Recognizer(
        "EMAIL_ADDRESS",
        "email",
        re.compile(r"(?<![\w.+%\-])[\w.+%'\-]{1,64}@(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w\-])"),
        ("@",),
        score=1.0,
        check=_mail,
    ),
    Recognizer(
        "EMAIL_ADDRESS",
        "email_in_url",
        re.compile(r"(?<![\w.+\-])[\w.+\-]{1,64}%40(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w\-])"),
        ("%40",),
        score=1.0,
    ),
    Recognizer(
        "IP_ADDRESS",
        "ipv4",
        re.compile(r"[0-9][0-9]?[0-9]?(?:\.[0-9]{1,3}){3}(?![\w\-]|\.\d)"),
        (".",),
        score=0.9,
        check=_v4,
        edge="_.-",
    ),
    Recognizer(
        "IP_ADDRESS",
        "ipv6",
        re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])"),
        (":",),
        score=0.9,
        check=_v6,
        small=True,
        gate=re.compile(r":[0-9a-f]{0,4}:[0-9a-f]{0,4}:"),
    ),
    Recognizer(
        "MAC_ADDRESS",
        "mac",
        re.compile(r"[0-9A-Fa-f][0-9A-Fa-f](?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})(?![\w:\-])"),
        (":", "-"),
        score=0.95,
        check=lambda value: any(c not in "0fF:-" for c in value),
        edge="_:-",
        gate=re.compile(r"[:\-][0-9a-f]{2}[:\-][0-9a-f]{2}[:\-]"),
    ),
    Recognizer(
        "DOMAIN_NAME",
        "url",
        re.compile(r"(?:https?|ftps?|wss?)://[^\s\"'<>{}|\\^`\[\]()]{4,2000}(?<![.,;:!?])"),
        ("://",),
        score=0.5,
    ),
    Recognizer(
        "DOMAIN_NAME",
        "domain",
        re.compile(r"(?<![\w@/.\-])(?:www\.)(?:[^\W_][\w\-]{0,62}\.){1,6}[^\W\d_]{2,24}(?![\w\-@])"),
        ("www.",),
        score=0.5,
    ),
    Recognizer(
        "USER_ID",
        "home_folder",
        re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\{1,4}Users\\{1,4})(?P<value>[\w.\-]{2,40})(?=[/\\\s\"':;,)]|$)"),
        ("/home/", "users"),
        score=0.8,
        check=_person_folder,
    ),
)
"""Every recognizer of addresses on a network."""
