"""Docker, where its engine answers: a container for each process, without network, rights or a writable root."""

import asyncio
import shutil
import subprocess
import uuid
from typing import Literal

from harness.config import SandboxConfig
from harness.errors import ConfigError
from harness.sandbox.box import INSIDE, Role, Started, bootstrap, limits_of

__all__ = ["DockerBox"]

_ROOT = "/box"
_ASK_S = 20.0
_END_S = 20.0


class DockerBox:
    """Starts processes in containers of the image `scoring.sandbox.image`."""

    kind: Literal["docker"] = "docker"

    def __init__(self, config: SandboxConfig) -> None:
        """Raises ConfigError if there is no Docker, its engine does not answer, or the image is not there."""
        found = shutil.which("docker")
        if found is None:
            raise ConfigError("docker is not installed")
        self._config, self._docker = config, found
        self._ask("version", "--format", "{{.Server.Version}}", wrong="the Docker engine does not answer; start it")
        wrong = f"the image {config.image} is not there; type: docker pull {config.image}"
        self._ask("image", "inspect", "--format", "{{.Id}}", config.image, wrong=wrong)

    def start(self, role: Role) -> Started:
        """As for any box."""
        name = f"slm-harness-{uuid.uuid4().hex}"
        config = self._config
        memory = f"{config.memory_mb}m"
        limits = limits_of(config, role, None, None)
        command = (
            *(self._docker, "run", "--rm", "--interactive", "--name", name, "--pull", "never"),
            *("--network", "none", "--ipc", "none", "--read-only", "--user", "65534:65534", "--hostname", "box"),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--pids-limit", str(config.processes), "--memory", memory, "--memory-swap", memory),
            *("--tmpfs", f"/tmp:rw,nosuid,nodev,size={config.disk_mb}m,mode=1777", "--workdir", "/tmp"),
            *("--volume", f"{INSIDE}:{_ROOT}/harness/sandbox/inside:ro", "--entrypoint", "python3"),
            *(config.image, "-I", "-S", "-B", "-W", "ignore", "-c", bootstrap(_ROOT, role), limits),
        )
        return Started(command, name)

    async def end(self, process: asyncio.subprocess.Process, started: Started) -> None:
        """As for any box: the engine kills the container, whose processes are none of ours."""
        if process.returncode is None:
            killer = await asyncio.create_subprocess_exec(
                *(self._docker, "kill", started.name),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            await killer.wait()
        try:
            await asyncio.wait_for(process.wait(), _END_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _ask(self, *arguments: str, wrong: str) -> None:
        try:
            done = subprocess.run(
                [self._docker, *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=_ASK_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"{wrong} ({type(error).__name__})") from error
        if done.returncode:
            raise ConfigError(wrong)
