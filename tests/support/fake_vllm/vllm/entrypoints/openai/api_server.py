"""In vLLM's place where tests run without it: takes its command line, and passes each connection on to a stand-in.

`--behind URL`: the stand-in. `--note FILE`: where to write the command line and the environment; `--note-in FOLDER`:
each process in a file of its own. `--say TEXT`: last words before it fails. `--family`: starts processes that do not
want to end, as an engine's might not.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
PARENT = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); time.sleep(600)"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--behind")
    parser.add_argument("--note")
    parser.add_argument("--note-in")
    parser.add_argument("--say")
    parser.add_argument("--family", action="store_true")
    return parser.parse_known_args()[0]


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


async def serve(host: str, port: int, behind: str) -> None:
    url = urlsplit(behind)

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(url.hostname, url.port)
        await asyncio.gather(copy(reader, ours), copy(theirs, writer))

    async with await asyncio.start_server(join, host, port) as server:
        await server.serve_forever()


def main() -> None:
    asked = options()
    if asked.note_in:
        asked.note = Path(asked.note_in, f"{os.getpid()}.json")
    if asked.note:
        Path(asked.note).write_text(json.dumps({"argv": sys.argv[1:], "environ": dict(os.environ)}))
    if asked.say is not None:
        sys.stderr.write(asked.say)
        sys.exit(1)
    if asked.family:
        subprocess.Popen([sys.executable, "-c", PARENT])
        subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True)
    asyncio.run(serve(asked.host, asked.port, asked.behind))


if __name__ == "__main__":
    main()
