"""What a program loads with the router."""

import subprocess
import sys

HEAVY = ("numpy", "aiohttp", "sklearn", "pandas", "scipy", "pyarrow", "duckdb", "litellm", "jsonschema", "onnxruntime")


def test_importing_the_router_loads_nothing_heavy() -> None:
    program = f"import sys, harness.router; print([one for one in {HEAVY} if one in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
