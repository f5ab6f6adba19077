"""Proves each extra in an environment of its own: made empty, the built wheel with that extra put in, and really used.

    make extras                      # all of them, one after another; torch and all, some 20 minutes
    make extras ARGS="logs figures"  # these
    make extras ARGS=core            # the package without any
    python3.12 ci/extras.py --wheel dist/slm_harness-0.1.0-py3-none-any.whl core     # a wheel, under another Python

What is used is in `USES` below: command lines of the harness, in a folder that is not the checkout, with what must be
there afterwards. The size is what pip adds, pip itself apart. Needs Python and a package index; no extra has to be
installed here. The environment is removed afterwards.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = ROOT / "examples" / "ci"
ANSWERED: Final = (
    "suite=local", f"suite.path={EXAMPLE / 'suites' / 'support'}", "suite.name=support", "model=recorded",
    f"backend.path={EXAMPLE / 'answers' / 'prompt_v1.jsonl'}", "model.name=prompt-v1",
)  # fmt: skip
"""A run that asks nobody: recorded answers to the suite of the example."""
ASKED: Final = (
    "suite=local", f"suite.path={EXAMPLE / 'suites' / 'support'}", "suite.limit=6", "model=hosted",
    "model.name=openai/some-model", "model.url=@URL@", "model.protocol=native",
)  # fmt: skip
"""A run by litellm, of the provider below."""
SMALL: Final = ("suite=toolcall", "model=smollm2", "suite.limit=2", "model.generation.max_tokens=16")
ASKED_OF_FRAMES: Final = """
import harness
assert list(harness.runs()["model"]) == ["prompt-v1"]
assert harness.sql("SELECT count(*) AS n FROM attempts")["n"][0] == len(harness.load_run().attempts) > 0
"""
LOGGED: Final = """
import mlflow
mlflow.set_tracking_uri("mlruns")
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.5)
"""
TORCH: Final = "torch==2.13.0"
"""Put in first: pip then takes the build for processors where it knows of one."""


@dataclass(frozen=True, slots=True)
class Use:
    """What proves an extra."""

    commands: tuple[tuple[str, ...], ...]
    """Words of the harness, or of Python where the first is `-c`."""
    leaves: tuple[str, ...] = ()
    """Patterns of files that must be there afterwards."""
    first: str | None = None
    """A package that pip gets before the extra."""
    log: bool = False
    """Whether a made-up log lies in the folder as log.jsonl, with a key."""
    environment: dict[str, str] = field(default_factory=dict)


KEPT: Final = (
    ("do=collect", "logs.path=log.jsonl", "store.key_file=store.key"),
    ("do=curate", "curate.name=shop", "store.key_file=store.key"),
)
USES: Final[dict[str, Use]] = {
    "core": Use(
        (("--help",), ("do=fetch", *SMALL), SMALL, ANSWERED, ("do=report",)),
        ("results/run/*/summary.json", "reports/leaderboard.html", "reports/tables/leaderboard/*.csv"),
    ),
    "figures": Use(
        (ANSWERED, ("do=report", "report.figures=true")), ("reports/figures/*.svg", "reports/figures/*.png")
    ),
    "hosted": Use((ASKED,), ("results/run/*/summary.json",), environment={"OPENAI_API_KEY": "sk-of-the-proof"}),
    "logs": Use(
        (
            *KEPT,
            ("do=cluster", "cluster.calls=curated/shop", "cluster.embedding=tfidf"),
            ("do=build", "build.calls=curated/shop", "build.name=shop"),
            ("suite=shop", "model=incumbent"),
        ),
        ("clusters/shop/assignments.parquet", "suites/shop/suite.yaml", "results/run/*/attempts.parquet"),
        log=True,
    ),
    "mlflow": Use((("-c", LOGGED),), ("mlruns/*/*/metrics/accuracy",), environment={"MLFLOW_ALLOW_FILE_STORE": "true"}),
    "notebook": Use((ANSWERED, ("-c", ASKED_OF_FRAMES)), ("results/run/*/attempts.parquet",)),
    "stores": Use(
        (ANSWERED, ("do=publish", "remote.url=file://@WORK@/there"), ("-c", "import s3fs")), ("there/run/*.json",)
    ),
    "nlp": Use((KEPT[0], (*KEPT[1], "curate.pii=nlp")), ("curated/shop/calls.parquet",), log=True),
    "ray": Use((("-c", "import ray; ray.init(num_cpus=1); assert ray.data.range(10).sum('id') == 45"),)),
    "suites": Use((("do=validate", "suite=ifeval", "suite.limit=20"), ("-c", "import lm_eval, inspect_ai"))),
    "train": Use((("backend=transformers", "backend.weights=gguf", *SMALL),), ("results/run/*/summary.json",), TORCH),
}


def main(words: Sequence[str]) -> int:
    """0 where every extra that was named held; 1 where one did not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help=f"of {', '.join(USES)}; all where none is named")
    parser.add_argument("--python", default=sys.executable, help="the Python of the environments")
    parser.add_argument("--wheel", type=Path, help="a wheel that is built already")
    given = parser.parse_args(words)
    if unknown := sorted(set(given.extras) - set(USES)):
        parser.error(f"no such extra: {', '.join(unknown)}; choose of {', '.join(USES)}")
    failed = []
    with tempfile.TemporaryDirectory(prefix="harness-extras-") as scratch:
        wheel = given.wheel.resolve() if given.wheel else build(Path(scratch))
        for name in given.extras or USES:
            try:
                said = prove(name, wheel, given.python, Path(scratch) / name)
            except (subprocess.CalledProcessError, AssertionError) as error:
                failed.append(name)
                said = f"FAILED  {error}"
            finally:
                shutil.rmtree(Path(scratch) / name, ignore_errors=True)
            sys.stdout.write(f"{name:8} {said}\n")
            sys.stdout.flush()
    return int(bool(failed))


def build(folder: Path) -> Path:
    """The wheel of this checkout."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], ROOT)
    return next(folder.glob("*.whl"))


def prove(name: str, wheel: Path, python: str, folder: Path) -> str:
    """What was measured. Raises CalledProcessError or AssertionError where the extra does not do its work."""
    use, work = USES[name], folder / "work"
    work.mkdir(parents=True)
    _run([python, "-m", "venv", str(folder / "venv")], folder)
    inside = str(folder / "venv" / "bin" / "python")
    before, begun = _bytes(folder / "venv"), time.monotonic()
    if use.first:
        _run([inside, "-m", "pip", "install", "--quiet", use.first], folder)
    wanted = str(wheel) if name == "core" else f"{wheel}[{name}]"
    _run([inside, "-m", "pip", "install", "--quiet", wanted], folder)
    took, added = time.monotonic() - begun, _bytes(folder / "venv") - before
    _run([inside, "-m", "pip", "check"], folder)
    if use.log:
        few = ["--train", "40", "--validation", "10", "--test", "20"]
        _run([inside, str(ROOT / "examples" / "convert" / "make_log.py"), "log.jsonl", *few], work)
        (work / "store.key").write_text("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n")
        (work / "store.key").chmod(0o600)
    with _provider() as url:
        for words in use.commands:
            line = [word.replace("@URL@", url).replace("@WORK@", str(work)) for word in words]
            start = [inside] if line[0] == "-c" else [inside, "-m", "harness"]
            _run([*start, *line], work, use.environment)
    for pattern in use.leaves:
        assert any(work.glob(pattern)), f"nothing at {pattern}"
    return f"ok  {added / 1e6:,.0f} MB, installed in {took:.0f} s, used in {len(use.commands)} commands"


def _run(line: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    """Runs a command; its words are shown where it fails. Nothing of the checkout is on its path."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    kept |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "", **(environment or {})}
    done = subprocess.run(line, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"--- {' '.join(line)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}\n")
        done.check_returncode()


def _bytes(folder: Path) -> int:
    """Bytes of all files below, as they are long."""
    return sum(one.lstat().st_size for one in folder.rglob("*") if not one.is_symlink() and one.is_file())


class _Provider(BaseHTTPRequestHandler):
    """A provider on loopback that answers every chat with one word, as OpenAI streams it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        head = '{"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "some-model", '
        each = (('{"role": "assistant", "content": "refund"}', "null"), ("{}", '"stop"'))
        told = [f'{head}"choices": [{{"index": 0, "delta": {one}, "finish_reason": {end}}}]}}' for one, end in each]
        body = "".join(f"data: {one}\n\n" for one in (*told, "[DONE]")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def _provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
