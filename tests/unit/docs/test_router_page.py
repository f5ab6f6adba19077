"""What docs/router.md tells to type works as it stands there."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from harness.records.route import RouteControl
from harness.router.protocol import chunks_of
from tests.support.routes import deploy, policy, spoken

PAGE = Path(__file__).resolve().parents[3] / "docs" / "router.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


class Server(BaseHTTPRequestHandler):
    """Says who was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = spoken(f"{asked['model']} answers")
        data = orjson.dumps(found)
        if asked.get("stream"):
            data = b"".join(b"data: " + orjson.dumps(one) + b"\n\n" for one in chunks_of(found, usage=False))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def test_the_program_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SLM_URL", "LLM_URL"):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("LLM_KEY", "k")
    deploy(Path("results/route/shop"), policy(signals=("no_reply",)), RouteControl(mode="on"))
    (program,) = blocks("python")

    exec(program, {"__name__": "program"})

    assert capsys.readouterr().out == "shop_smollm2 answers\nshop_smollm2 answers"
    assert len(list(Path("calls").glob("calls-*.jsonl"))) == 1


def test_the_control_files_of_the_page_are_read() -> None:
    (shown,) = blocks("json")

    modes = [RouteControl.model_validate_json(line).mode for line in shown.splitlines()]

    assert modes == ["shadow", "canary", "on"]
