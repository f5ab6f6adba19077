"""Programs that want out, want to stay, or want to pass without being right.

Each defines `f`. Where an attack can succeed by itself, its tests ask for just that success: so `passed` is always the
outcome that must not be. `{secret}`, `{home}`, `{port}`, `{socket}`, `{pid}`: see `Bait` in the test.
"""

# ruff: noqa: E501  the programs stand in one piece each

from dataclasses import dataclass
from typing import Literal

from harness.sandbox.run import Outcome

__all__ = ["FORGERIES", "RIGHT", "Attack"]

RIGHT = "assert f(2) == 3\nassert f(3) == 4\n"


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    source: str
    tests: str = RIGHT
    hangs: bool = False
    """Whether the time limit has to end it: then that is short."""
    expected: tuple[Outcome, ...] = ("failed",)


def bodies(kind: Literal["escape", "forge"], table: dict[str, str]) -> list[Attack]:
    """Attacks whose `f` is given by its body; an escape returns whether it came out."""
    tests = "assert f() == True\n" if kind == "escape" else RIGHT
    head = "def f():" if kind == "escape" else "def f(x):"
    indented = {name: "".join(f"    {line}\n" for line in body.strip("\n").split("\n")) for name, body in table.items()}
    return [Attack(f"{kind}: {name}", f"{head}\n{body}", tests) for name, body in indented.items()]


FORGERIES = [
    *bodies(
        "forge",
        {
            "leave with 0": "import sys; sys.exit(0)",
            "leave at once with 0": "import os; os._exit(0)",
            "leave by an exception": "raise SystemExit(0)",
            "interrupt": "raise KeyboardInterrupt",
            "stop the iteration": "raise StopIteration",
            "equal to everything": "return type('A', (), {'__eq__': lambda *a: True, '__ne__': lambda *a: False})()",
            "a number equal to everything": "return type('A', (int,), {'__eq__': lambda *a: True})(7)",
            "a text equal to everything": "return type('A', (str,), {'__eq__': lambda *a: True})('7')",
            "a list equal to everything": "return type('A', (list,), {'__eq__': lambda *a: True})([7])",
            "hash and order of everything": (
                "return type('A', (), {'__eq__': lambda *a: True, '__hash__': lambda s: 3, '__lt__': lambda *a: True})()"
            ),
            "a class that is equal": (
                "class M(type):\n    __eq__ = lambda *a: True\n    __hash__ = lambda s: 3\nclass A(metaclass=M): pass\nreturn A"
            ),
            "itself": "return f",
            "print a verdict": (
                "import os\nfor n in (1, 2):\n"
                '    os.write(n, b\'{"outcome": "passed", "why": "", "reading": 0}\\n\')\nos._exit(0)'
            ),
            "write a verdict to every descriptor": (
                "import os\nfor n in range(64):\n    try:\n"
                '        os.write(n, b\'{"outcome": "passed", "why": "", "reading": 0}\\n\')\n'
                "    except OSError:\n        pass\nreturn 0"
            ),
            "write answers to every descriptor": (
                "import os\nfor n in range(3, 64):\n    try:\n        os.write(n, b'[\"ok\",true]\\n' * 100)\n"
                "    except OSError:\n        pass\nreturn 0"
            ),
            "answer no JSON": "import os\nfor n in range(3, 64):\n    try:\n        os.write(n, b'\\xff\\x00{[\\n')\n    except OSError:\n        pass",
            "answer with a module": (
                'import os\nfor n in range(3, 64):\n    try:\n        os.write(n, b\'["ok",{"m":"os"}]\\n\')\n'
                "    except OSError:\n        pass"
            ),
            "answer with an object's number": (
                'import os\nfor n in range(3, 64):\n    try:\n        os.write(n, b\'["ok",{"h":-1}]\\n\')\n'
                "    except OSError:\n        pass"
            ),
            "answer with an unknown mark": (
                'import os\nfor n in range(3, 64):\n    try:\n        os.write(n, b\'["ok",{"__class__":"x","i":"0x3"}]\\n\')\n'
                "    except OSError:\n        pass"
            ),
            "close every descriptor": "import os\nos.closerange(0, 64)\nreturn 3",
            "replace the process": (
                "import os, sys\nos.execv(sys.executable or '/proc/self/exe', ['python', '-c', 'print(\"passed\")'])"
            ),
            "kill everything": "import os\nos.kill(-1, 9)\nreturn 3",
            "look for the tests in memory": (
                "import gc, re\nfor one in gc.get_objects():\n    try:\n        found = re.search(r'f\\(2\\) == (\\d)', repr(one))\n"
                "    except Exception:\n        continue\n    if found and 'found' not in found.string:\n        return int(found.group(1))"
            ),
            "look for the tests in the frames": (
                "import sys\nframe = sys._getframe()\nwhile frame:\n    for key, one in frame.f_locals.items():\n"
                "        if 'assert' in str(one):\n            return 3\n    frame = frame.f_back"
            ),
        },
    ),
    Attack(
        "forge: break the interpreter",
        "import sys\nsys.setrecursionlimit(10**8)\ndef f(n): return f(n + 1)\n",
        hangs=True,
        expected=("failed", "memory", "time"),
    ),
    Attack(
        "forge: answer what is nested deep",
        "import os\ndef f(x):\n    for n in range(3, 64):\n        try:\n"
        "            os.write(n, b'[\"ok\",' + b'[' * 20000 + b'\\n')\n        except OSError:\n            pass\n",
    ),
    Attack(
        "forge: kill the init and itself",
        "import os\ndef f(x):\n    for p in (1, os.getppid() or 1, os.getpid()):\n        os.kill(p, 9)",
        expected=("failed", "time"),
    ),
    Attack("forge: leave while it is loaded", "import os\nos._exit(0)"),
    Attack("forge: leave quietly while it is loaded", "raise SystemExit(0)"),
    Attack("forge: pass at the end", "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): raise SystemExit(0)"),
    Attack(
        "forge: other built-ins",
        "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.AssertionError = type('Q', (BaseException,), {})\n"
        "builtins.all = builtins.any = builtins.bool = builtins.abs = lambda *a: True\ndef f(x): return 0",
    ),
    Attack(
        "forge: names of built-ins",
        "abs = len = sorted = lambda *a: 3\ndef f(x): return 0",
        "assert abs(f(2) - 3) < 1\n",
    ),
    Attack(
        "forge: arithmetic that always fits",
        "class A:\n    __sub__ = __rsub__ = __abs__ = lambda s, *a: s\n    __lt__ = __le__ = __gt__ = lambda *a: True\n"
        "    __float__ = lambda s: 3.0\ndef f(x): return A()",
        "assert abs(f(2) - 3) < 1e-6\n",
    ),
    Attack(
        "forge: contains and is as long as anything",
        "class A:\n    __contains__ = lambda *a: True\n    __len__ = lambda s: 3\n    def __getitem__(s, i): return [1, 2, 3][i]\n"
        "def f(x): return A()",
        "assert f(2) == [1, 2, 3]\n",
    ),
    Attack(
        "forge: another library beside the tests",
        "import sys, types\nfake = types.ModuleType('math')\nfake.isclose = lambda *a, **k: True\nsys.modules['math'] = fake\n"
        "math = fake\ndef f(x): return 0",
        "import math\nassert math.isclose(f(2), 3)\n",
    ),
    Attack(
        "forge: the function that checks",
        "def check(candidate): pass\ndef f(x): return 0",
        "def check(candidate):\n    assert candidate(2) == 3\ncheck(f)\n",
    ),
    Attack(
        "forge: the process that it runs in",
        "import harness.sandbox.inside.program as p, sys\np.encode = lambda *a: True\n"
        "for m in list(sys.modules.values()):\n    for n in ('_judged', 'judged', 'main'):\n"
        "        if hasattr(m, n):\n            setattr(m, n, lambda *a: ('passed', ''))\ndef f(x): return 0",
    ),
    Attack(
        "forge: trace everything",
        "import sys, threading\nsys.settrace(lambda *a: (_ for _ in ()).throw(SystemExit(0)))\nsys.setprofile(print)\ndef f(x): return 0",
        expected=("failed", "output"),
    ),
    Attack(
        "forge: what the tests hand over",
        "def f(xs):\n    xs.clear()\n    return []",
        "xs = [2, 1]\nassert f(xs) == sorted(xs)\n",
    ),
    Attack(
        "forge: something without end",
        "def f():\n    while True:\n        yield 3",
        "assert list(f()) == [3]\n",
        hangs=True,
        expected=("time", "memory"),
    ),
    Attack("forge: a value that holds itself", "def f(x):\n    a = []\n    a.append(a)\n    return a"),
    Attack("forge: no such function", "def g(x): return x + 1"),
    Attack("forge: NUL in the source", "def f(x):\n    return x + 1\0\n", expected=("syntax",)),
    Attack("forge: half a character", "def f(x):\n    return '\ud800' and 5\n"),
    Attack(
        "forge: hidden by a coding line", "# -*- coding: utf-7 -*-\ndef f(x):\n    return 0 #+AAo-    return x + 1\n"
    ),
    Attack("forge: nested deep", "x = " + "(" * 5000 + ")" * 5000 + "\ndef f(x): return x + 1\n", expected=("syntax",)),
    Attack(
        "forge: many signs",
        "x = " + "-" * 200000 + "1\ndef f(x): return x + 2\n",
        expected=("syntax", "failed", "memory", "time"),
    ),
    Attack(
        "forge: enormous source",
        "x = [" + "1,\n" * 1_000_000 + "]\ndef f(x): return 0\n",
        expected=("failed", "memory", "time", "syntax"),
    ),
]
