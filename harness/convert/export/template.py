"""The GGUF file of the base that an export takes its header from: the model's own, or what llama.cpp's script made."""

import os
import subprocess
import tempfile
from pathlib import Path

from harness.assets import OnProgress, cache_dir
from harness.assets.progress import Progress
from harness.assets.store import Store, file_sha256, key_of
from harness.backends.gguf import read_header
from harness.backends.torch_python import torch_python
from harness.backends.weights import WeightFile, resolve_weights
from harness.config import ConvertConfig, WeightsConfig
from harness.errors import BackendError, ConfigError
from harness.paths import conf_dir
from harness.records.manifest import WeightFacts

__all__ = ["converter_of", "template_of", "with_gguf"]

_SCRIPT = Path(".venv-quantize") / "llama.cpp" / "convert_hf_to_gguf.py"


def template_of(config: ConvertConfig, base: Path, tell: OnProgress) -> WeightFile:
    """The model's own GGUF file where it has one; else the base checkpoint, converted once and kept in the cache.

    Raises AssetError where that file cannot be had, ConfigError where nothing here converts a checkpoint.
    """
    weights = config.model.weights
    own = None if weights.path is None else Path(weights.path).expanduser()
    if own is not None and own.is_dir():
        return _converted(config, base, tell)
    if own is None and weights.gguf is None:
        return _converted(config, base, tell)
    return resolve_weights(config.model, on_progress=tell)


def with_gguf(config: ConvertConfig, template: WeightFile) -> ConvertConfig:
    """The configuration with a base that llama.cpp loads: as it is, or the file that was made of its checkpoint."""
    weights = config.model.weights
    own = None if weights.path is None else Path(weights.path).expanduser()
    if (own is not None and own.is_file()) or (own is None and weights.gguf is not None):
        return config
    made = WeightsConfig(path=str(template.path), quantization=template.facts.quantization)
    return config.model_copy(update={"model": config.model.model_copy(update={"weights": made})})


def converter_of(configured: str | None) -> Path:
    """llama.cpp's convert_hf_to_gguf.py: the named one, else that of `make quantize-env`.

    Raises ConfigError where there is none.
    """
    if configured is not None:
        path = Path(configured).expanduser()
        if not path.is_file():
            raise ConfigError(
                f"convert.export.converter={configured} is no file: name llama.cpp's convert_hf_to_gguf.py"
            )
        return path.absolute()
    for folder in (Path.cwd(), conf_dir().parent):
        if (folder / _SCRIPT).is_file():
            return (folder / _SCRIPT).absolute()
    raise ConfigError(
        "a checkpoint without a GGUF file is converted by llama.cpp's own script, which is not here: "
        "make quantize-env, or name it: convert.export.converter=/path/to/llama.cpp/convert_hf_to_gguf.py"
    )


def _converted(config: ConvertConfig, base: Path, tell: OnProgress) -> WeightFile:
    script = converter_of(config.convert.export.converter)
    python = torch_python(config.convert.training.python, key="convert.training.python")
    store = Store(cache_dir())
    digest = store.digest(base, tell)
    key, name = key_of("gguf of", digest, file_sha256(script)), f"{config.model.name}-base-F16.gguf"
    place = _held(store, key, name, tell)
    if place is None:
        with store.lock(key, name, tell):
            place = _held(store, key, name, tell) or _make(store, key, name, base, [str(python), str(script)], tell)
    header = read_header(place)
    facts = WeightFacts(
        file=name,
        bytes=place.stat().st_size,
        sha256=file_sha256(place),
        quantization="F16",
        parameters=header.parameters or None,
        source=f"converted from the checkpoint {digest[:12]} by llama.cpp's convert_hf_to_gguf.py",
    )
    return WeightFile(path=place, facts=facts, header=header)


def _held(store: Store, key: str, name: str, tell: OnProgress) -> Path | None:
    digest = store.read_ref(key).get("sha256")
    if not isinstance(digest, str):
        return None
    place = store.place(digest, name)
    return place if store.holds(place, digest, tell) else None


def _make(store: Store, key: str, name: str, base: Path, words: list[str], tell: OnProgress) -> Path:
    size = sum(one.stat().st_size for one in base.glob("*.safetensors"))
    store.need_room(size, name)
    tell(Progress(f"{name}: convert", 0, None))
    with store.workspace(key) as work, tempfile.TemporaryFile() as log:
        target = work / name
        command = [words[0], "-X", "utf8", words[1], str(base), "--outfile", str(target), "--outtype", "f16"]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        try:
            code = child.wait()
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if code != 0 or not target.is_file():
            log.seek(0)
            last = log.read().decode(errors="replace").strip().splitlines()
            raise BackendError(f"llama.cpp's converter made no GGUF of {base.name}: {(last or ['no word'])[-1][:300]}")
        digest = file_sha256(target)
        place = store.keep(target, digest, name)
    store.write_ref(key, {"sha256": digest, "name": name})
    return place
