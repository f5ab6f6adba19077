"""OTLP in protobuf, written with OpenTelemetry's own library."""

import random
from pathlib import Path

import orjson
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from harness.logs.reading import detect, read_logs
from tests.support import log_lines as lines


def _message() -> bytes:
    """The message of which the JSON below is the other form: ids in base64, as protobuf's own JSON has them."""
    span = lines.otel_span(
        lines.otel_current(), traceId="W47/95gDgQPSabYzgT/GDA==", spanId="7uGbfsPBsXQ=", parentSpanId=""
    )
    document = orjson.dumps(lines.otel_document(span))
    return bytes(Parse(document, ExportTraceServiceRequest()).SerializeToString())


def test_a_message_reads_as_its_json_form_does(tmp_path: Path) -> None:
    (tmp_path / "spans.pb").write_bytes(_message())
    (tmp_path / "spans.json").write_bytes(
        orjson.dumps(lines.otel_document(lines.otel_span(lines.otel_current(), parentSpanId="")))
    )

    (binary,) = read_logs([str(tmp_path / "spans.pb")])
    (text,) = read_logs([str(tmp_path / "spans.json")])

    assert binary.item.record is not None
    assert binary.item.record == text.item.record


def test_messages_after_their_lengths_are_read_one_by_one(tmp_path: Path) -> None:
    raw = _message()
    framed = len(raw).to_bytes(4, "big") + raw
    file = tmp_path / "spans.bin"
    file.write_bytes(framed * 3 + framed[:-5])

    items = [one.item for one in read_logs([str(file)])]
    rest = [one.item for one in read_logs([str(file)], after={str(file): len(framed)})]

    assert detect(file).name == "otel"
    assert [item.record is not None for item in items] == [True, True, True, False]
    assert items[3].problem == f"the file ends in a message: {len(raw) - 5} of {len(raw)} bytes"
    assert [item.start for item in rest] == [item.start for item in items[1:]]


def test_log_records_are_told_from_spans(tmp_path: Path) -> None:
    told = {"eventName": "gen_ai.client.inference.operation.details", "attributes": lines.otel_current()}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [told]}]}]}
    file = tmp_path / "logs.pb"
    file.write_bytes(Parse(orjson.dumps(logs), ExportLogsServiceRequest()).SerializeToString())

    (one,) = read_logs([str(file)])

    assert one.item.record is not None
    assert one.item.record.messages[1]["content"] == "Weather in Riga?"


def test_bytes_that_are_no_message_are_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "spans.pb"
    file.write_bytes(b"\x0a\x05\x12\xff\xff\xff\xff")

    (one,) = read_logs([str(file)], "otel")

    assert str(one.item.problem).startswith("no OTLP message")
    assert one.item.raw == file.read_bytes()


def test_no_damage_to_messages_escapes_the_books(tmp_path: Path) -> None:
    pick = random.Random(7)
    framed = len(_message()).to_bytes(4, "big") + _message()
    file = tmp_path / "spans.pb"
    for _ in range(300):
        raw = pick.choice((framed * 2, _message()))
        at = pick.randrange(len(raw))
        file.write_bytes(
            raw[:at] + bytes([pick.randrange(256)]) * pick.choice((0, 1, 3)) + raw[at + pick.choice((0, 1, 50)) :]
        )

        items = [one.item for one in read_logs([str(file)], "otel")]

        assert bool(items) == bool(file.read_bytes().strip())
        assert not any("unforeseen" in (item.problem or "") for item in items)
