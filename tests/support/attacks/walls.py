"""Programs that want out of the sandbox, or want to hurt the machine from inside."""

# ruff: noqa: E501  the programs stand in one piece each

from tests.support.attacks import RIGHT, Attack, bodies

__all__ = ["ESCAPES", "FLOODS"]

ESCAPES = [
    *bodies(
        "escape",
        {
            "read a file of the home folder": "return open({home!r} + '/secret.txt').read() == {secret!r}",
            "list the home folder": "import os\nreturn 'secret.txt' in os.listdir({home!r})",
            "read the environment": "import os\nreturn {secret!r} in os.environ.values()",
            "read its parent's environment": "import os\nreturn {secret!r} in open(f'/proc/{{os.getppid()}}/environ').read()",
            "read every process's environment": (
                "import os\nfound = ''\nfor one in os.listdir('/proc'):\n    try:\n"
                "        found += open(f'/proc/{{one}}/environ').read()\n    except OSError:\n        pass\nreturn {secret!r} in found"
            ),
            "see processes of others": "import os\nreturn {pid} in [int(one) for one in os.listdir('/proc') if one.isdigit()]",
            "signal the harness": "import os\nos.kill({pid}, 0)\nreturn open(f'/proc/{pid}/cmdline').read() != ''",
            "go back through /proc": "return open('/proc/self/root' + {home!r} + '/secret.txt').read() == {secret!r}",
            "go back through another's root": "return open('/proc/1/root' + {home!r} + '/secret.txt').read() == {secret!r}",
            "go up": "return open('../' * 40 + {home!r} + '/secret.txt').read() == {secret!r}",
            "read passwords": "return 'root' in open('/etc/passwd').read()",
            "connect by TCP": (
                "import socket\nwith socket.create_connection(('127.0.0.1', {port}), 2) as one:\n"
                "    return one.recv(5) == b'hello'"
            ),
            "send by UDP": (
                "import socket\nwith socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:\n    one.settimeout(1)\n"
                "    one.sendto(b'x', ('127.0.0.1', {port}))\n    return one.recv(5) == b'hello'"
            ),
            "connect to a socket file": (
                "import socket\nwith socket.socket(socket.AF_UNIX) as one:\n    one.connect({home!r} + '/socket')\n"
                "    return one.recv(5) == b'hello'"
            ),
            "connect to an abstract socket": (
                "import socket\nwith socket.socket(socket.AF_UNIX) as one:\n    one.connect('\\0' + {socket!r})\n"
                "    return one.recv(5) == b'hello'"
            ),
            "ask for a name": "import socket\nreturn bool(socket.getaddrinfo('example.invalid.test', 80))",
            "see a network": "import socket\nreturn any(name != 'lo' for _, name in socket.if_nameindex())",
            "reach the host of the virtual machine": "import socket\nsocket.socket(40, socket.SOCK_STREAM)\nreturn True",
            "speak to the kernel": "import socket\nsocket.socket(16, socket.SOCK_RAW)\nreturn True",
            "raw packets": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\nreturn True",
            "write to the home folder": "open({home!r} + '/made', 'w').write('x')\nreturn True",
            "write to folders for everybody": (
                "import os\nfor one in ('/', '/dev', '/dev/shm', '/var/tmp', '/usr', '/usr/lib', '/box', '/proc/sys/kernel', '/sys'):\n"
                "    try:\n        open(os.path.join(one, 'made-{socket}'), 'w')\n    except OSError:\n        continue\n    return True"
            ),
            "write over the sandbox's own modules": "import harness.sandbox.inside.wire as w\nopen(w.__file__, 'a').write('x')\nreturn True",
            "write over Python's library": "import os\nopen(os.__file__, 'a').write('x')\nreturn True",
            "set what runs on a crash": "open('/proc/sys/kernel/core_pattern', 'w').write('|/x')\nreturn True",
            "ask the kernel for favours": "open('/proc/sysrq-trigger', 'w').write('h')\nreturn True",
            "write through a link": "import os\nos.symlink({home!r} + '/made', 'link')\nopen('link', 'w').write('x')\nreturn True",
            "link a foreign file": "import os\nos.link(os.__file__, '/tmp/mine')\nreturn True",
            "rename over a foreign folder": "import os\nos.rename('/usr', '/tmp/usr')\nreturn True",
            "unpack above": (
                "import io, tarfile\nraw = io.BytesIO()\nwith tarfile.open(fileobj=raw, mode='w') as t:\n"
                "    t.addfile(tarfile.TarInfo('../' * 20 + {home!r} + '/made'))\nraw.seek(0)\n"
                "tarfile.open(fileobj=raw).extractall('/tmp')\nimport os\nreturn os.path.exists({home!r} + '/secret.txt')"
            ),
            "change its root": "import os\nos.chroot('/tmp')\nreturn True",
            "make a device": "import os, stat\nos.mknod('/tmp/disk', stat.S_IFBLK | 0o600, os.makedev(254, 0))\nreturn True",
            "open the disk or the memory": (
                "for one in ('/dev/mem', '/dev/kmem', '/dev/vda', '/dev/sda', '/dev/kmsg', '/proc/kcore'):\n"
                "    try:\n        open(one, 'rb').read(1)\n    except OSError:\n        continue\n    return True"
            ),
            "write to another's memory": "import os\nopen(f'/proc/{{os.getppid()}}/mem', 'r+b')\nreturn True",
            "become root": "import os\nos.setuid(0)\nreturn True",
            "raise its limits": (
                "import resource\nresource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)\nreturn True"
            ),
            "go first": "import os\nos.nice(-10)\nreturn True",
            "real time": "import os\nos.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))\nreturn True",
            "use a shell": "import os\nreturn os.system('true') == 0",
            "start a program": "import subprocess\nsubprocess.run(['/usr/bin/env'], check=True)\nreturn True",
            "set the clock": "import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)\nreturn True",
            "name the machine": "import socket\nsocket.sethostname('mine')\nreturn True",
            "type into the terminal": "import fcntl\nfcntl.ioctl(open('/dev/tty'), 0x5412, b'x')\nreturn True",
            "memory that nobody is charged for": "import os\nos.memfd_create('x')\nreturn True",
        },
    ),
]

FLOODS = [
    Attack(
        "flood: processes", "import os\nwhile True:\n    os.fork()", expected=("failed", "processes", "memory", "time")
    ),
    Attack(
        "flood: processes that shrug off what fails",
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        hangs=True,
        expected=("processes", "time", "memory"),
    ),
    Attack(
        "flood: threads",
        "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        expected=("failed", "processes"),
    ),
    Attack("flood: memory", "x = [bytearray(1 << 20) for _ in range(1 << 20)]", expected=("memory",)),
    Attack(
        "flood: memory, however often it is refused",
        "x = []\nwhile True:\n    try:\n        x.append(bytearray(1 << 24))\n    except MemoryError:\n        pass",
        hangs=True,
        expected=("memory", "time"),
    ),
    Attack(
        "flood: memory in many processes",
        "import os, time\nfor _ in range(8):\n    if not os.fork():\n        x = bytearray(b'x') * (100 << 20)\n        time.sleep(60)\ntime.sleep(60)",
        hangs=True,
        expected=("memory",),
    ),
    Attack("flood: one file", "with open('/tmp/large', 'wb') as f:\n    while True:\n        f.write(bytes(1 << 20))"),
    Attack(
        "flood: many files",
        "n = 0\nwhile True:\n    n += 1\n    open(f'/tmp/{n}', 'wb').write(bytes(1 << 16))",
    ),
    Attack(
        "flood: empty files",
        "n = 0\nwhile True:\n    n += 1\n    open(f'/tmp/{n}', 'w').close()",
        hangs=True,
        expected=("failed", "time"),
    ),
    Attack("flood: open files", "x = [open('/dev/null') for _ in range(100000)]"),
    Attack("flood: what it prints", "while True:\n    print('x' * 1000)", expected=("output",)),
    Attack(
        "flood: what it complains", "import sys\nwhile True:\n    sys.stderr.write('x' * 1000)", expected=("output",)
    ),
    Attack(
        "flood: answers",
        "import os\nwhile True:\n    for n in range(3, 64):\n        try:\n            os.write(n, b'x' * 65536)\n        except OSError:\n            pass",
        hangs=True,
        expected=("output", "failed", "time"),
    ),
    Attack("flood: one value", "def f(x): return 'x' * (200 << 20)", expected=("output", "memory")),
    Attack("flood: one integer", "def f(x): return 1 << (2 << 30)", expected=("output", "memory")),
    Attack("stay: an endless loop", "while True: pass", hangs=True, expected=("time",)),
    Attack("stay: an endless loop in the function", "def f(x):\n    while True: pass", hangs=True, expected=("time",)),
    Attack("stay: sleep", "import time\ntime.sleep(10**6)", hangs=True, expected=("time",)),
    Attack("stay: inside the interpreter", "def f(x): return sum(range(10**15))", hangs=True, expected=("time",)),
    Attack(
        "stay: an enormous power",
        "def f(x): return len(str(7 ** 7 ** 8))",
        hangs=True,
        expected=("time", "failed", "memory"),
    ),
    Attack(
        "stay: a catastrophic pattern",
        "import re\ndef f(x): return re.match('(a+)+$', 'a' * 64 + 'b')",
        hangs=True,
        expected=("time",),
    ),
    Attack(
        "stay: deaf to signals",
        "import signal\nfor n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\nwhile True: pass",
        hangs=True,
        expected=("time",),
    ),
    Attack(
        "stay: stopped",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        hangs=True,
        expected=("time", "failed"),
    ),
    Attack("stay: waits for input", "import os\nos.dup2(os.pipe()[0], 0)\nx = input()", hangs=True, expected=("time",)),
    Attack(
        "stay: a lock",
        "import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()",
        hangs=True,
        expected=("time",),
    ),
    Attack(
        "stay: a child in the background",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.closerange(0, 64)\n        time.sleep(600)\n    os._exit(0)\n"
        "def f(x): return 0",
        tests=RIGHT,
    ),
    Attack(
        "stay: a child that answers on",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    while True:\n        pass\nos._exit(0)",
        hangs=True,
        expected=("time", "failed"),
    ),
    Attack("stay: recursion without end", "def f(x): return f(x)"),
    Attack(
        "stay: recursion in a comparison", "class A:\n    def __repr__(s): return repr(s)\ndef f(x): return repr(A())"
    ),
]
