"""One program judged: its process and that of the tests started behind walls, watched, and ended, whatever they do.

The two speak with each other over a pair of pipes. The verdict comes over a third pipe from the process with the tests,
whose other end the program's process never has: there is nothing for it to forge.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import orjson

from harness.config import SandboxConfig
from harness.errors import BackendError, ConfigError
from harness.sandbox.bare import BareBox
from harness.sandbox.box import Box, Role, Started
from harness.sandbox.bwrap import INSTALL, BwrapBox
from harness.sandbox.docker import DockerBox
from harness.sandbox.tree import below, usage

__all__ = ["Job", "Outcome", "Reading", "Verdict", "find_box", "judge"]

Outcome = Literal["passed", "failed", "syntax", "time", "memory", "output", "processes"]
_FOUND: tuple[Outcome, ...] = ("passed", "failed", "syntax", "memory", "output")

_MIB, _KIB = 1 << 20, 1 << 10
_FIRST_LOOK_S, _LOOK_S = 0.1, 0.05
_MOST_VERDICT = 64 * _KIB
_LEAVING_S = 0.5
_OWN_TASKS = 2
"""The wall's process outside and the interpreter's first thread are not the program's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a program out of a reply."""

    source: str
    beside_prompt: bool = False
    """A whole program: run after what it was asked to go on from, whose imports and helpers it has then."""


@dataclass(frozen=True, slots=True)
class Job:
    """A program with tests."""

    readings: tuple[Reading, ...]
    """The first that compiles counts."""
    tests: str
    prompt: str = ""
    entry_point: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it ended."""

    outcome: Outcome
    """`time`, `memory`, `output` and `processes`: the limit that was met."""
    why: str = ""
    reading: int | None = None
    """Number of the reading that compiled; None where none did or it is not known."""
    wall_s: float = 0.0


def find_box(config: SandboxConfig) -> Box:
    """The sandbox that the configuration names, or the best one here. Raises ConfigError if there is none."""
    kinds: dict[str, Callable[[SandboxConfig], Box]] = {"bwrap": BwrapBox, "docker": DockerBox, "none": BareBox}
    if config.kind != "auto":
        return kinds[config.kind](config)
    refused = []
    for kind in ("bwrap", "docker"):
        try:
            return kinds[kind](config)
        except ConfigError as error:
            refused.append(str(error))
    raise ConfigError(
        f"programs that a model wrote need a sandbox, and there is none: {'; '.join(refused)}. "
        f"Type: {INSTALL}; or, if you trust them with all that you may do here: scoring.sandbox.kind=none"
    )


async def judge(box: Box, config: SandboxConfig, job: Job) -> Verdict:
    """Runs a program against tests; nothing of either is left when this returns.

    Raises BackendError if the sandbox itself fails: that says nothing about the program.
    """
    began = time.perf_counter()
    async with _Trial(box, config) as trial:
        verdict = await trial.verdict(_job_line(job))
    return Verdict(verdict.outcome, verdict.why, verdict.reading, time.perf_counter() - began)


def _job_line(job: Job) -> bytes:
    readings = [[_utf8(one.source), one.beside_prompt] for one in job.readings]
    prompt = [job.prompt, f"{job.prompt.rstrip()}\n    pass\n"]
    line = {"readings": readings, "preface": prompt, "entry_point": job.entry_point, "tests": job.tests}
    return orjson.dumps(line) + b"\n"


def _utf8(text: str) -> str:
    """The text with a mark for each half of a surrogate pair: those are in no source that compiles, either."""
    return text.encode(errors="replace").decode()


@dataclass(slots=True)
class _Running:
    """One of the two processes with our end of what it writes to 2."""

    process: asyncio.subprocess.Process
    started: Started
    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport


class _Trial:
    """Both processes of one program, as a context."""

    def __init__(self, box: Box, config: SandboxConfig) -> None:
        self._box, self._config = box, config
        self._running: dict[Role, _Running] = {}
        self._job_pipe = -1

    async def __aenter__(self) -> "_Trial":
        calls, answers = os.pipe(), os.pipe()
        try:
            with _closing(calls[0], calls[1], answers[0]):
                await self._start("oracle", answers[0], calls[1])
                await self._start("program", calls[0], answers[1])
        except BaseException:
            os.close(answers[1])
            await self._end()
            raise
        self._job_pipe = answers[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _start(self, role: Role, come: int, go: int) -> None:
        started = self._box.start(role)
        ours, theirs = os.pipe()
        reader = asyncio.StreamReader()
        with _closing(theirs, *started.descriptors):
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
            )
            try:
                process = await asyncio.create_subprocess_exec(
                    *started.command,
                    stdin=come,
                    stdout=go,
                    stderr=theirs,
                    pass_fds=started.descriptors,
                    start_new_session=True,
                    env={},
                    cwd=started.folder,
                )
            except OSError as error:
                transport.close()
                raise BackendError(f"the sandbox cannot be started: {error}") from error
        self._running[role] = _Running(process, started, reader, transport)

    async def _end(self) -> None:
        if self._job_pipe >= 0:
            os.close(self._job_pipe)
            self._job_pipe = -1
        for one in self._running.values():
            await asyncio.shield(self._box.end(one.process, one.started))
            one.transport.close()

    async def verdict(self, job: bytes) -> Verdict:
        """Hands over the job and waits for the first of: a verdict, a limit met, the time over."""
        tasks = {
            asyncio.create_task(self._found(job)),
            asyncio.create_task(self._flood()),
            asyncio.create_task(self._overuse()),
        }
        try:
            done, _ = await asyncio.wait(tasks, timeout=self._config.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            verdicts = [task.result() for task in done]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        limits = [one for one in verdicts if one.outcome not in _FOUND[:3]]
        if not verdicts:
            return Verdict("time", f"not through within {self._config.timeout_s:g} s")
        return (limits or verdicts)[0]

    async def _found(self, job: bytes) -> Verdict:
        """What the process with the tests says. Raises BackendError if it says nothing."""
        await self._hand_over(job)
        oracle = self._running["oracle"]
        said = await oracle.reader.read(_MOST_VERDICT)
        while said and not said.endswith(b"\n") and len(said) < _MOST_VERDICT:
            more = await oracle.reader.read(_MOST_VERDICT)
            if not more:
                break
            said += more
        try:
            found = orjson.loads(said)
            outcome, why, reading = found["outcome"], str(found["why"]), found["reading"]
        except (orjson.JSONDecodeError, TypeError, KeyError):
            words = " ".join(said.decode(errors="replace").split())[-200:]
            raise BackendError(
                f"the sandbox's process with the tests ended without a verdict: {words or 'no words'}"
            ) from None
        if outcome in {"ended", "broken"}:
            return await self._gone(outcome, why)
        assert outcome in _FOUND
        return Verdict(outcome, why, reading)

    async def _hand_over(self, job: bytes) -> None:
        transport, protocol = await asyncio.get_running_loop().connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(self._job_pipe, "wb", 0)
        )
        self._job_pipe = -1
        writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
        try:
            writer.write(job)
            with contextlib.suppress(ConnectionError):  # its end is told by what it does not say
                await writer.drain()
        finally:
            transport.close()

    async def _gone(self, outcome: str, why: str) -> Verdict:
        """Why the program's process is no more."""
        program = self._running["program"]
        code: int | None = None
        with contextlib.suppress(TimeoutError):
            code = await asyncio.wait_for(program.process.wait(), _LEAVING_S)
        if outcome == "broken":
            raise BackendError(f"the sandbox's process for the program did not come up (exit code {code})")
        number = _signal(code)
        if number in {signal.SIGXCPU, signal.SIGKILL}:
            return Verdict("time", f"ended by {signal.Signals(number).name}: out of processor time or memory")
        ended = f"by {signal.Signals(number).name}" if number else f"with exit code {code}"
        return Verdict("failed", f"{why}: it ended {ended}" if code is not None else why)

    async def _flood(self) -> Verdict:
        """Reads what the program prints; returns once that is too much."""
        reader, most = self._running["program"].reader, self._config.output_kb * _KIB
        seen = 0
        while seen <= most:
            part = await reader.read(_MOST_VERDICT)
            if not part:
                await asyncio.Event().wait()
            seen += len(part)
        return Verdict("output", f"printed more than {self._config.output_kb} kB")

    async def _overuse(self) -> Verdict:
        """Looks at the process trees now and then; returns once one holds too much."""
        config = self._config
        await asyncio.sleep(_FIRST_LOOK_S)
        while True:
            for one in self._running.values():
                held = usage([one.process.pid, *below(one.process.pid)])
                if held.resident_bytes > config.memory_mb * _MIB:
                    return Verdict("memory", f"held more than {config.memory_mb} MB")
                if held.tasks > config.processes + _OWN_TASKS:
                    return Verdict("processes", f"had more than {config.processes} processes and threads")
            await asyncio.sleep(_LOOK_S)


def _signal(code: int | None) -> int:
    """The signal that an exit code stands for, as the process's parent or a shell's rule says it; 0 for none."""
    if code is None:
        return 0
    number = -code if code < 0 else code - 128 if code > 128 else 0
    return number if number in set(signal.Signals) else 0


@contextlib.contextmanager
def _closing(*descriptors: int):  # type: ignore[no-untyped-def]
    try:
        yield
    finally:
        for one in descriptors:
            os.close(one)
