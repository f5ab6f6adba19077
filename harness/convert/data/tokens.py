"""Rows in tokens of the student: counted, and weighed by a teacher with the same tokenizer, both by a child process."""

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from harness.assets.progress import human_bytes
from harness.backends.llamacpp_plan import available_memory
from harness.backends.order_child import order_child
from harness.backends.torch_python import torch_python
from harness.backends.transformers_plan import Checkpoint, checkpoint_of
from harness.config import ModelConfig, TransformersConfig, template_file
from harness.config.convert import ConvertData
from harness.convert.data.setup import Setup
from harness.convert.data.teacher import compose_teacher
from harness.errors import BackendError, ConfigError
from harness.paths import conf_dir
from harness.records.convert import DatasetRow, LogitsFile

__all__ = ["LOGITS", "RUNTIME_BYTES", "count", "teacher_checkpoint", "weigh"]

LOGITS: Final = "logits.safetensors"
RUNTIME_BYTES: Final = 700 << 20
"""torch, transformers and their libraries in memory, before a weight is loaded (measured, CPU build)."""
_CHILD: Final = Path(__file__).with_name("tokens_child.py")


def count(rows: Sequence[DatasetRow], setup: Setup) -> list[tuple[int, int]] | None:
    """Tokens of each row's prompt and reply; None where nobody here can count them.

    Raises BackendError where the tokenizer cannot be loaded or its template refuses a row.
    """
    if setup.lengths is not None:
        return list(setup.lengths(rows))
    if setup.checkpoint is None:
        return None
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "lengths.json"
        order = {"task": "lengths", "folder": str(setup.checkpoint), "template": _template(setup.model)}
        _run(setup.python or torch_python(None), order, rows, out)
        return [(int(prompt), int(reply)) for prompt, reply in json.loads(out.read_bytes())]


def weigh(rows: Sequence[DatasetRow], data: ConvertData, setup: Setup, out: Path) -> LogitsFile:
    """Writes what a teacher holds of each token of the replies, and says what was written.

    The file has for all rows together: `tokens` (n), the replies' ids; `ids` and `logprobs` (n, top_k), the likeliest
    tokens at each place, of logits divided by `temperature`; `ends` (rows + 1), where each row's places begin and end;
    in its metadata the rows' ids. The teacher reads the prompt by its own template. Raises ConfigError for a teacher
    that is not local or has another tokenizer, BackendError where it cannot be loaded or memory does not hold it.
    """
    teacher = (setup.teacher or compose_teacher(data)).model
    found = setup.weigher or teacher_checkpoint(data, setup)
    if setup.checkpoint is None:
        raise ConfigError("convert.data.distill=logits needs torch and the student's checkpoint: make train-env")
    _refuse_too_large(found.folder, teacher.name)
    order = {
        "task": "logits",
        "folder": str(setup.checkpoint),
        "template": _template(setup.model),
        "teacher": str(found.folder),
        "teacher_template": _template(teacher),
        "top_k": data.top_k,
        "temperature": data.temperature,
        "dtype": "float32",
        "device": "cpu",
    }
    setup.say(f"teacher      {teacher.name} weighs the replies of {len(rows):,} rows")
    file = out / LOGITS
    said = _run(setup.python or torch_python(None), order, rows, file, teacher=teacher.name, student=setup.model.name)
    return LogitsFile(
        file=file.name,
        teacher=teacher.name,
        top_k=data.top_k,
        rows=int(said["rows"]),
        tokens=int(said["tokens"]),
        temperature=data.temperature,
        weights=found.facts,
        tokenizer_sha256=str(said["sha256"]),
        mass=min(1.0, float(said["mass"])),
        seconds=float(said["seconds"]),
    )


def teacher_checkpoint(data: ConvertData, setup: Setup) -> Checkpoint:
    """The weights of the teacher that weighs. Raises ConfigError for one whose weights are not here, or not alone."""
    config = setup.teacher or compose_teacher(data)
    teacher = config.model
    if teacher.hosted or teacher.url is not None:
        raise ConfigError(
            f"convert.data.distill=logits needs the teacher's own weights, and {teacher.name} is served elsewhere; "
            "take a local model, or convert.data.distill=replies, which learns what it says"
        )
    if getattr(config.backend, "lora", ()):
        raise ConfigError(
            f"convert.data.distill=logits reads one set of weights, and {teacher.name} has an adapter beside its base; "
            "export it merged, convert.export.serve=merged, and take that as the teacher"
        )
    python = setup.python or torch_python(None)
    gguf = teacher.weights.gguf is not None or str(teacher.weights.path or "").endswith(".gguf")
    engine = TransformersConfig(
        name="transformers", weights="gguf" if gguf else "safetensors", python=str(python), dtype="float32"
    )
    return checkpoint_of(engine, teacher, on_progress=setup.on_progress)


def _refuse_too_large(folder: Path, name: str) -> None:
    """Raises BackendError where a checkpoint does not fit into memory in 32 bits, with a tenth to spare."""
    need = round(1.1 * (4 * _elements(folder) + RUNTIME_BYTES))
    free = available_memory()
    if need > free:
        raise BackendError(
            f"the teacher {name} needs about {human_bytes(need)} to weigh the replies, and {human_bytes(free)} are "
            "free here; take a smaller teacher, or convert.data.distill=replies, which its engine answers"
        )


def _elements(folder: Path) -> int:
    """Numbers in all tensors of a checkpoint, by the headers of its files (safetensors: a length, then JSON)."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        total += sum(math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
    return total


def _template(model: ModelConfig) -> str:
    """Jinja source; empty: the one beside the weights."""
    if model.chat_template is None:
        return ""
    return template_file(model.chat_template, conf_dir()).read_text(encoding="utf-8")


def _run(
    python: Path, order: dict[str, Any], rows: Sequence[DatasetRow], out: Path, teacher: str = "", student: str = ""
) -> dict[str, Any]:
    """What the child said. Raises ConfigError for another tokenizer, BackendError for all else that went wrong."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "rows.jsonl"
        file.write_text("".join(f"{one.model_dump_json()}\n" for one in rows), encoding="utf-8")
        said = _told(python, {**order, "rows": str(file), "out": str(out)})
    if said.get("kind") == "OtherTokenizer":
        raise ConfigError(
            f"convert.data.distill=logits: {student} and {teacher} have two tokenizers ({said['error']}), and log "
            "probabilities of one mean nothing to the other; type convert.data.distill=replies"
        )
    if "error" in said:
        text = " ".join(str(said["error"]).split())[:300]
        raise BackendError(f"rows could not be read in tokens ({said.get('kind')}: {text}); make train-env")
    return said


def _told(python: Path, order: dict[str, Any]) -> dict[str, Any]:
    """What the child said, or how it ended."""
    try:
        answer = order_child(python, _CHILD, order)
    except OSError as error:
        raise BackendError(f"{python.name} cannot be started ({error.strerror}): make train-env") from None
    return answer.said or {"error": answer.end, "kind": "Ended"}
