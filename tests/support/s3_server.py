"""A real server that speaks S3 on loopback, by moto, in a process of its own; a test that asks for it skips without.

moto need not be in this environment: HARNESS_MOTO_PYTHON names a Python that has `moto[server]`.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["ENVIRONMENT", "s3_server"]

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "SECRET-of-the-test", "AWS_REGION": "us-east-1"}
_SERVE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(port, flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address. It ends when its standard input does, also with this process."""
    python = os.environ.get("HARNESS_MOTO_PYTHON")
    if importlib.util.find_spec("s3fs") is None:
        pytest.skip("s3fs is not installed (extra stores)")
    if python is None:
        if importlib.util.find_spec("moto") is None:
            pytest.skip("no moto here to speak S3: pip install 'moto[server]', or name a Python: HARNESS_MOTO_PYTHON")
        python = sys.executable
    with subprocess.Popen(
        [python, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.communicate()
