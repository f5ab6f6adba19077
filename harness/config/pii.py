"""What is looked for in logs as personal or secret, and what is left alone."""

from pydantic import Field, field_validator, model_validator

from harness.records import Record

__all__ = [
    "PII_KINDS",
    "SECRET_KINDS",
    "LeakcheckOptions",
    "PiiConfig",
    "PiiPattern",
]

SECRET_KINDS: tuple[str, ...] = ("API_KEY", "AWS_SECRET_KEY", "JWT", "PASSWORD", "PRIVATE_KEY", "URL_CREDENTIALS")
"""Whoever has one can act as somebody else. Always in the list of kinds; turn them off by `without`."""

PII_KINDS: tuple[str, ...] = (
    *SECRET_KINDS,
    "AGE",
    "BANK_ACCOUNT",
    "CARD_LAST4",
    "CREDIT_CARD",
    "CRYPTO",
    "DATE_OF_BIRTH",
    "DATE_TIME",
    "DOMAIN_NAME",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "LOCATION",
    "MAC_ADDRESS",
    "NATIONAL_ID",
    "NRP",
    "ORGANIZATION",
    "PASSPORT",
    "PERSON",
    "PHONE_NUMBER",
    "STREET_ADDRESS",
    "TITLE",
    "USER_ID",
    "US_DRIVER_LICENSE",
    "US_SSN",
    "ZIP_CODE",
)
"""Every kind that the built-in recognizers can report. A configured pattern may add more."""


class PiiPattern(Record):
    """A kind of value that only your logs have: account numbers, order ids, ticket names."""

    kind: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    """Name of the kind in capitals: a built-in one, or your own such as `ORDER_ID`."""
    regex: str
    """What the value looks like, in Python's syntax. With a group named `value`, that group is the value."""
    context: tuple[str, ...] = ()
    """Words of which one must stand within `context_chars` before the value; none: it counts anywhere."""
    fields: tuple[str, ...] = ()
    """JSON keys whose whole value counts where the regex matches in it, whatever stands around."""
    score: float = Field(default=0.8, gt=0, le=1)
    """How sure a match is; of two that overlap the surer one stays."""


class PiiConfig(Record):
    """Which kinds are found, by which patterns besides the built-in ones, and what is never touched."""

    kinds: tuple[str, ...] = tuple(kind for kind in PII_KINDS if kind != "DATE_TIME")
    """`all` as the only entry: every kind. Left out by default: dates that are nobody's birthday, which tasks need."""
    without: tuple[str, ...] = ()
    """Kinds taken out of `kinds`."""
    patterns: tuple[PiiPattern, ...] = ()
    """Added to the built-in recognizers."""
    allow: tuple[str, ...] = ()
    """Values that are never reported, compared without case: your own support address, a product's name."""
    allow_patterns: tuple[str, ...] = ()
    """Regular expressions; a value that one of them matches in full is never reported."""
    threshold: float = Field(default=0.4, ge=0, le=1)
    """Spans below this score are dropped."""
    context_chars: int = Field(default=40, ge=8, le=200)
    """How far before a value the context words of your own patterns may stand."""
    presidio: tuple[str, ...] = ("CryptoRecognizer", "ItFiscalCodeRecognizer", "UsItinRecognizer")
    """With `nlp`: Presidio's own recognizers that run besides, by class name; ours cover the rest."""
    remember: int = Field(default=50_000, ge=0)
    """Texts, and with `nlp` lines, whose spans are remembered: each call of a log repeats the history before it."""

    @field_validator("kinds")
    @classmethod
    def _all(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return PII_KINDS if kinds == ("all",) else kinds

    @model_validator(mode="after")
    def _known(self) -> "PiiConfig":
        known = {*PII_KINDS, *(pattern.kind for pattern in self.patterns)}
        for kind in (*self.kinds, *self.without):
            if kind not in known:
                message = f"{kind!r} is no kind of PII; there are: {', '.join(sorted(known))}"
                raise ValueError(message)
        return self

    def wanted(self) -> frozenset[str]:
        """The kinds that are reported: those chosen and those of configured patterns, less the ones taken out."""
        return frozenset((*self.kinds, *(pattern.kind for pattern in self.patterns))) - frozenset(self.without)


class LeakcheckOptions(Record):
    """Where values are looked for, and which."""

    path: tuple[str, ...] | None = None
    """Files and folders; None: the store and every folder that this project writes, where they are there."""
    values: str | None = None
    """File of your own: a value a line, or JSON lines with `kind` and `value`; None: this project's canaries."""

    @field_validator("path", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value
