"""What a user configures: kinds, patterns of their own, values that are left alone; and what is refused."""

import pytest
from pydantic import ValidationError

from harness.config.pii import PII_KINDS, PiiConfig, PiiPattern
from harness.curate.pii import configured
from harness.curate.pii.rules import rules_detector
from harness.errors import ConfigError


def found(config: PiiConfig, text: str, field: str | None = None) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.kind) for span in rules_detector(config).find(text, field)]


ORDER = PiiPattern(kind="ORDER_ID", regex=r"#W\d{7}\b")


def test_configured_pattern_adds_a_kind() -> None:
    assert found(PiiConfig(patterns=(ORDER,)), "order #W4219264 of #X12") == [("#W4219264", "ORDER_ID")]


def test_group_named_value_is_what_counts() -> None:
    pattern = PiiPattern(kind="TICKET", regex=r"ticket (?P<value>T-\d+)")

    assert found(PiiConfig(patterns=(pattern,)), "see ticket T-17") == [("T-17", "TICKET")]


def test_pattern_with_context_needs_a_word_before_it() -> None:
    config = PiiConfig(patterns=(PiiPattern(kind="ACCOUNT_ID", regex=r"\b\d{6}\b", context=("account",)),))

    assert found(config, "account 123456") == [("123456", "ACCOUNT_ID")]
    assert found(config, "build 123456") == []


def test_pattern_with_fields_needs_no_context_within_them() -> None:
    pattern = PiiPattern(kind="ACCOUNT_ID", regex=r"\d{6}", context=("account",), fields=("acc",))
    config = PiiConfig(patterns=(pattern,))

    assert found(config, "123456", "user.acc") == [("123456", "ACCOUNT_ID")]
    assert found(config, "123456", "user.size") == []


def test_kinds_taken_out_are_not_reported() -> None:
    text = "ann@example.org from 10.1.2.3"

    assert found(PiiConfig(without=("EMAIL_ADDRESS",)), text) == [("10.1.2.3", "IP_ADDRESS")]
    assert found(PiiConfig(kinds=("EMAIL_ADDRESS",)), text) == [("ann@example.org", "EMAIL_ADDRESS")]


def test_allowed_values_are_left_in_any_case_and_by_pattern() -> None:
    config = PiiConfig(allow=("Help@Example.com",), allow_patterns=(r"[\w.]+@test\.example",))

    assert found(config, "help@example.com a.b@test.example eve@example.com") == [("eve@example.com", "EMAIL_ADDRESS")]


def test_spans_below_the_threshold_are_dropped() -> None:
    assert found(PiiConfig(threshold=1.0), "call 415-555-2671 or ann@example.org") == [
        ("ann@example.org", "EMAIL_ADDRESS")
    ]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "no regular expression"),
        (r"\d*", "matches the empty text"),
        (r"(a+)+$", "takes over"),
        (r"(\w+\s?)+$", "takes over"),
    ],
)
def test_bad_pattern_is_refused_by_its_place(pattern: str, said: str) -> None:
    config = PiiConfig(patterns=(ORDER, PiiPattern(kind="MINE", regex=pattern)))

    with pytest.raises(ConfigError, match=rf"pii\.patterns\[1\]\.regex=.*{said}"):
        rules_detector(config)


def test_bad_allowed_pattern_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pii\.allow_patterns\[0\]"):
        rules_detector(PiiConfig(allow_patterns=("[",)))


def test_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValidationError, match=r"'EMIAL' is no kind of PII; there are: .*EMAIL_ADDRESS"):
        PiiConfig(kinds=("EMIAL",))


def test_all_is_every_kind_and_the_default_leaves_dates() -> None:
    assert PiiConfig(kinds=("all",)).wanted() == frozenset(PII_KINDS)
    assert frozenset(PII_KINDS) - PiiConfig().wanted() == {"DATE_TIME"}


def test_pattern_that_runs_away_on_a_text_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured, "_TEXT_S", 0.2)
    detector = rules_detector(PiiConfig(patterns=(PiiPattern(kind="MINE", regex=r"B(C+)+D"),)))

    with pytest.raises(ConfigError, match=r"takes over 0\.2 s on a text of 10001 characters"):
        detector.find("B" + "C" * 9_999 + "E")
