"""Calls redacted everywhere alike, and nothing else of them changed."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.curate.agreement import agreement
from harness.curate.pii.checks import iban_valid
from harness.curate.pii.rules import rules_detector
from harness.curate.pseudonyms import Pseudonyms
from harness.curate.redact import Redactor
from harness.logs.reading import read_logs
from harness.records.logs import LogFailure, LogRecord, Payload

SHARED = Path(__file__).parents[4] / "shared" / "data"
KEY = b"k" * 32


def redactor() -> Redactor:
    return Redactor(rules_detector(), Pseudonyms(KEY))


def call(*messages: Payload, **others: Any) -> LogRecord:
    return LogRecord(f"r{len(messages)}", "test", messages, session="s1", **others)


def user(text: str) -> Payload:
    return {"role": "user", "content": text}


def asks(name: str, arguments: str) -> Payload:
    return {"role": "assistant", "tool_calls": [{"id": "c1", "name": name, "arguments": arguments}]}


def arguments_of(message: Payload | None) -> str:
    assert message is not None
    return str(message["tool_calls"][0]["arguments"])


def test_an_argument_that_equalled_a_value_of_the_prompt_still_does() -> None:
    record = call(
        user("My name is Yusuf Gonzalez and my zip code is 91455."),
        reply=asks("find_user", '{"first_name": "Yusuf", "last_name": "Gonzalez", "zip": "91455"}'),
    )

    redacted = redactor().record(record)

    arguments = json.loads(arguments_of(redacted.reply))
    text = redacted.messages[0]["content"]
    assert "Yusuf" not in text
    assert (
        f"My name is {arguments['first_name']} {arguments['last_name']} and my zip code is {arguments['zip']}." == text
    )


def test_only_values_change_in_the_text_of_arguments() -> None:
    before = '{ "zip":"91455",\n  "n": 1.50, "flag":true , "items": ["a\\u00e9", 7], "order_id": "#W2806889" }'
    record = call(user("My zip code is 91455."), reply=asks("t", before))

    after = arguments_of(redactor().record(record).reply)

    assert after != before
    assert re.sub(r'"zip":"\d{5}"', '"zip":"91455"', after) == before


def test_json_within_strings_is_looked_into() -> None:
    inner = json.dumps({"email": "mia.li@corp.com", "deep": json.dumps({"last_name": "Kowalczyk"})})
    record = call({"role": "tool", "tool_call_id": "c1", "content": json.dumps({"result": inner, "total": 12.5})})

    content = json.loads(redactor().record(record).messages[0]["content"])

    result = json.loads(content["result"])
    assert content["total"] == 12.5
    assert "@" in result["email"]
    assert "corp" not in result["email"]
    assert json.loads(result["deep"])["last_name"] not in {"Kowalczyk", ""}


def test_arguments_that_are_no_json_are_a_text() -> None:
    record = call(user("hi"), reply=asks("t", '{"email": "mia.li@corp.com"'))

    after = arguments_of(redactor().record(record).reply)

    assert "mia.li" not in after
    assert after.startswith('{"email": "')


def test_numbers_stay_numbers_and_ids_prices_and_counts_stay() -> None:
    before = {"zip": 91455, "product_id": 9523456873, "price": 120.5, "quantity": 3, "age": 34}

    record = call(user("hi"), reply=asks("t", json.dumps(before)))
    after = json.loads(arguments_of(redactor().record(record).reply))

    assert after["zip"] != 91455
    assert isinstance(after["zip"], int)
    assert after["age"] // 10 == 3
    assert {name: after[name] for name in ("product_id", "price", "quantity")} == {
        "product_id": 9523456873,
        "price": 120.5,
        "quantity": 3,
    }


def test_what_is_found_once_is_replaced_in_the_whole_session() -> None:
    first = call(user("the usual for Kowalczyk please"), {"role": "tool", "content": "ok kowalczyk_77 and KOWALCZYK"})
    later = call(user("My name is Zofia Kowalczyk."), user("x"), user("y"))

    redacted = redactor().session([first, later])

    assert "kowalczyk" not in str(redacted).lower()


@pytest.mark.parametrize("name", ["Mark Page", "Grace Hunter", "Rose Green"])
def test_names_that_are_everyday_words_are_not_replaced_on_their_own(name: str) -> None:
    text = "I will mark the green page in may. Will you? The hunter is green."
    record = call(user(f"My name is {name}."), user(text))

    redacted = redactor().record(record)

    assert name not in redacted.messages[0]["content"]
    assert redacted.messages[1]["content"] == text


def test_headers_are_dropped_and_metadata_is_redacted() -> None:
    token = "tok" + "en-" + "a1B2c3D4e5F6g7H8"
    extra = {
        "headers": {"Authorization": f"Bearer {token}", "Content-Type": "json", "X-Forwarded-For": "81.2.69.142"},
        "end_user": "mia_li_3668",
        "by_mail": {"mia.li@corp.com": 2},
        "tags": ["prod"],
    }
    work = redactor()

    redacted = work.record(call(user("hi"), extra=extra, user="mia_li_3668"))

    assert token not in str(redacted)
    assert "Authorization" not in redacted.extra["headers"]
    assert redacted.extra["headers"]["Content-Type"] == "json"
    assert redacted.extra["end_user"] == redacted.user != "mia_li_3668"
    assert "mia.li@corp.com" not in redacted.extra["by_mail"]
    assert redacted.extra["tags"] == ["prod"]
    assert work.report.dropped == {"authorization": 1}


def test_what_is_nested_very_deep_is_redacted_too() -> None:
    deep: Any = "mail mia.li@corp.com"
    for _ in range(90):
        deep = {"in": [deep]}

    redacted = redactor().record(call(user("hi"), extra={"deep": deep}))

    assert "mia.li" not in json.dumps(redacted.extra)
    assert isinstance(redacted.extra["deep"], dict)


def test_a_value_that_stands_many_times_is_replaced_each_time() -> None:
    record = call(user("My name is Zofia Kowalczyk."), user("Kowalczyk, " * 20_000))

    redacted = redactor().record(record)

    assert "Kowalczyk" not in redacted.messages[1]["content"]


def test_a_failure_and_its_traceback_are_redacted() -> None:
    failure = LogFailure("BadRequest", 'Traceback\n  File "/home/mkowalczyk/x.py"\nno user mia.li@corp.com', 400)

    redacted = redactor().record(call(user("hi"), failure=failure))

    assert redacted.failure is not None
    assert redacted.failure.message is not None
    assert "kowalczyk" not in redacted.failure.message
    assert "mia.li" not in redacted.failure.message
    assert (redacted.failure.kind, redacted.failure.status) == ("BadRequest", 400)


def test_content_parts_tools_and_session_names_are_looked_at() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts: Payload = {"role": "user", "content": [{"type": "text", "text": "mail mia.li@corp.com"}, image]}
    tool: Payload = {"name": "get_email", "description": "As in sara_doe_496.", "parameters": {"type": "object"}}
    record = LogRecord("r", "test", (parts,), tools=(tool,), session="chat-mia.li@corp.com")

    redacted = redactor().record(record)

    assert "mia.li" not in str(redacted)
    assert redacted.messages[0]["content"][1] == image
    assert redacted.tools[0]["name"] == "get_email"
    assert "sara_doe" not in redacted.tools[0]["description"]


def test_a_call_without_anything_personal_comes_back_as_it_was() -> None:
    record = call(
        user("What is 2 + 2?"), asks("add", '{"a":2,  "b":2}'), extra={"tags": ["x"]}, params={"temperature": 0.0}
    )

    assert redactor().record(record) == record


def test_the_same_calls_and_key_give_the_same_result() -> None:
    record = call(user("My name is Yusuf Gonzalez, mail yusuf@corp.com, server 10.1.2.3, ssn 078-05-1120"))

    assert redactor().record(record) == redactor().record(record)


def test_agreement_notices_an_argument_that_lost_its_value() -> None:
    before = call(user("My zip code is 91455."), reply=asks("t", '{"zip": "91455"}'))
    after = call(user("My zip code is 11111."), reply=asks("t", '{"zip": "22222"}'))

    found = agreement([before], [after])

    assert found.share == 0.0
    assert [one.what for one in found.differences] == ["stood in the messages, and no longer does"]
    assert agreement([before], [before]).share == 1.0


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ('{"zip": 91455}', "keys, types or JSON"),
        ('{"zip": "91455"', "keys, types or JSON"),
        ('{"zip": "91455", "more": 1}', "keys, types or JSON"),
    ],
)
def test_agreement_notices_another_type_or_structure(arguments: str, what: str) -> None:
    before = call(user("x"), reply=asks("t", '{"zip": "91455"}'))

    found = agreement([before], [call(user("x"), reply=asks("t", arguments))])

    assert [one.what for one in found.differences] == [what]


def test_agreement_notices_values_that_became_equal() -> None:
    before = call(user("x"), reply=asks("t", '{"a": "one", "b": "two"}'))

    found = agreement([before], [call(user("x"), reply=asks("t", '{"a": "new", "b": "new"}'))])

    assert [one.what for one in found.differences] == ["different values became equal"]


@pytest.mark.shared
def test_logged_calls_agree_with_themselves_after_redaction() -> None:
    path = SHARED / "sample500.jsonl.xz"
    if not path.exists():
        pytest.skip("../shared/data is absent")
    records = [one.item.record for one in read_logs([str(path)]) if one.item.record is not None]

    found = agreement(records, redactor().session(records))

    assert found.calls > 200
    assert found.changed > 50
    assert found.differences == []


@pytest.mark.shared
def test_spans_of_people_are_gone_from_the_gold_messages() -> None:
    path = SHARED / "pii_gold_dev.jsonl.gz"
    if not path.exists():
        pytest.skip("../shared/data is absent")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:1000]
    records = [LogRecord(str(place), "test", (_gold(row),), session=row["trace_id"]) for place, row in enumerate(rows)]

    redacted = redactor().session(records)

    spans = [(place, row["text"][one["start"] : one["end"]]) for place, row in enumerate(rows) for one in row["spans"]]
    left = [
        value
        for place, value in spans
        if re.search(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", _text(redacted[place]))
    ]
    assert len(spans) > 500
    assert len(left) / len(spans) < 0.05


def _gold(row: dict[str, Any]) -> Payload:
    return asks("t", row["text"]) if row["role"] == "tool_call" else {"role": row["role"], "content": row["text"]}


def _text(record: LogRecord) -> str:
    message = record.messages[0]
    return arguments_of(message) if "tool_calls" in message else str(message["content"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("My name is Will Hunter and I need help", "Will Hunter"),
        ("My name is May Green.", "May Green"),
        ("PASSENGERS\n1. JOHN SMITH\n2. MARIA GONZALEZ", "JOHN SMITH"),
        ("<user><last_name>Raman</last_name><password>s3cretpw1</password></user>", "Raman"),
        ("<user><last_name>Raman</last_name><password>s3cretpw1</password></user>", "s3cretpw1"),
        ("POST email=joe%40corp.com&x=1", "joe%40corp"),
        ("curl -u alice:Tr0ub4dor&3 https://x.com", "Tr0ub4dor"),
        ("redis://:s3cr3tPassw0rd9@cache.internal:6379/0", "s3cr3tPassw0rd9"),
        ("DATABASE_URL=mysql://root:Kx@9fQ2@db.internal/x", "9fQ2"),
        ("pwd=Test-4821x", "Test-4821x"),
        ("Password: My$ecret99", "My$ecret99"),
        ("card=4111.1111.1111.1111", "4111.1111.1111.1111"),
        ("Passport number: C01X00T47", "C01X00T47"),
    ],
)
def test_a_value_in_an_odd_place_is_replaced(text: str, value: str) -> None:
    (message,) = redactor().record(call(user(text))).messages

    assert value not in message["content"]


def test_an_address_in_a_url_has_the_surrogate_that_it_has_in_prose() -> None:
    (message,) = redactor().record(call(user("I am joe.f@corp.com: /u?email=joe.f%40corp.com"))).messages

    plain = message["content"].split()[2].rstrip(":")
    assert plain != "joe.f@corp.com"
    assert message["content"].endswith("email=" + plain.replace("@", "%40"))


def test_a_drawn_id_is_no_account_and_a_decorator_no_address() -> None:
    uuid = next(
        name for name in (f"de{n:02d}4a7b-1234-4234-9234-123456789abc" for n in range(2, 99)) if iban_valid(name)
    )
    text = f"trace {uuid}, 22-@pytest.mark.parametrize"

    assert redactor().record(call(user(text))).messages[0]["content"] == text


def test_a_line_of_an_event_stream_is_no_picture() -> None:
    event = 'data: {"email": "joe@corp.com"}'
    picture = "data:image/png;base64,iVBORw0KGgo="
    parts = [{"type": "text", "text": event}, {"type": "image_url", "image_url": {"url": picture}}]

    record = redactor().record(call({"role": "tool", "content": parts}, extra={"note": "data: joe@corp.com"}))

    assert "joe@corp.com" not in json.dumps([record.messages[0], record.extra])
    assert record.messages[0]["content"][1] == parts[1]


def test_a_known_name_is_replaced_where_it_is_a_key_as_well() -> None:
    record = redactor().record(
        call(user("My name is Margaret Oyelaran."), reply=asks("split", '{"shares": {"Margaret": 3, "total": 4}}'))
    )

    name = record.messages[0]["content"].split()[3]
    assert json.loads(arguments_of(record.reply)) == {"shares": {name: 3, "total": 4}}


@pytest.mark.parametrize(
    ("session", "user"),
    [("1-415-555-2671", None), ("4111111111111111", None), ("joe.fernandez:7", "joe.fernandez"),
     ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "3f2504e0-4f89-41d3-9a0c-0305e82c3301")],
)  # fmt: skip
def test_a_session_named_after_its_user_does_not_tell_them(session: str, user: str | None) -> None:
    record = LogRecord("r", "test", (), session=session, user=user, span=f"call of {session}")

    redacted = redactor().record(record)

    assert redacted.session is not None
    assert (user or session) not in json.dumps([redacted.session, redacted.span, redacted.user])


def test_headers_among_the_parameters_are_left_out() -> None:
    record = call(user("hi"), params={"extra_headers": {"Authorization": "Bearer abcdefghijkl", "X-Trace": "on"}})

    assert redactor().record(record).params == {"extra_headers": {"X-Trace": "on"}}


def test_a_number_that_a_table_made_a_decimal_is_replaced() -> None:
    content = json.dumps({"phone": 4155552671.0, "price": 12.5})

    record = redactor().record(call({"role": "tool", "content": content}, extra={"phone": 4155552671.0}))

    told = json.loads(record.messages[0]["content"])
    assert told["phone"] != 4155552671.0
    assert told == {"phone": record.extra["phone"], "price": 12.5}


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_name_with_an_apostrophe_is_replaced_within_an_id(depth: int) -> None:
    content = json.dumps({"last_name": "O'connell", "user_id": "vivienne_o'connell_3400"})
    for _ in range(depth - 1):
        content = json.dumps({"raw": content})

    record = redactor().record(call(user("My name is Vivienne O'connell."), {"role": "tool", "content": content}))

    assert "connell" not in json.dumps(record.messages).lower()


def test_a_name_with_an_apostrophe_is_replaced_whole_in_a_text_with_backslashes() -> None:
    text = 'got {\\"last_name\\": \\"O\'Brannigan\\"} back'

    (message,) = redactor().record(call(user(text))).messages

    assert "Brannigan" not in message["content"]


@pytest.mark.parametrize(
    "written",
    ["ｍｉａ.ｌｉ＠ｃｏｒｐ.ｃｏｍ", "mia.li@co\u00adrp.com", "m\u200bia.li@corp\u200b.com", "mia.li@\ncorp.com"],
)
def test_value_in_another_writing_has_the_surrogate_of_the_plain_one(written: str) -> None:
    record = call(user(f"Write to {written} please"), reply=asks("t", '{"email": "mia.li@corp.com"}'))

    after = redactor().record(record)

    surrogate = json.loads(arguments_of(after.reply))["email"]
    assert surrogate != "mia.li@corp.com"
    assert after.messages[0]["content"] == f"Write to {surrogate} please"


def test_known_value_is_found_again_with_nothing_of_width_in_it() -> None:
    told = call(user("My name is Zofia Kowalczyk."))
    hidden = call(user("Is Kowal\u200bczyk there?"), user("x"))

    first, second = redactor().session([told, hidden])

    family = first.messages[0]["content"].removesuffix(".").split()[-1]
    assert second.messages[0]["content"] == f"Is {family} there?"


def test_control_holds_for_a_value_written_in_two_ways() -> None:
    record = call(user("I am at ｍｉａ.ｌｉ＠ｃｏｒｐ.ｃｏｍ"), reply=asks("t", '{"email": "mia.li@corp.com"}'))

    assert agreement([record], [redactor().record(record)]).share == 1


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize("name", ["mia_kowalczyk", "Mia", "mia.li@corp.com"])
def test_name_of_who_speaks_is_replaced(role: str, name: str) -> None:
    after = redactor().record(call({"role": role, "name": name, "content": "Hello"})).messages[0]["name"]

    assert after != name
    assert "kowalczyk" not in after.lower()


def test_every_name_of_a_user_is_replaced_but_that_of_the_part() -> None:
    messages = [{"role": "user", "name": name, "content": "Hello"} for name in ("qx71", "user_7", "user", "customer")]

    after = [one["name"] for one in redactor().record(call(*messages)).messages]

    assert after[0] != "qx71"
    assert after[1] != "user_7"
    assert after[2:] == ["user", "customer"]


@pytest.mark.parametrize(
    ("role", "name"),
    [("assistant", "support_agent"), ("assistant", "planner"), ("system", "example_user"), ("tool", "get_mia")],
)
def test_name_of_an_agent_and_of_a_tool_stays(role: str, name: str) -> None:
    message = {"role": role, "name": name, "content": "Hello", "tool_call_id": "c1"}

    assert redactor().record(call(message)).messages[0]["name"] == name
