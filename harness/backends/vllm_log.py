"""The reason in vLLM's log for why it does not serve, and what to type about it."""

import re
from dataclasses import dataclass

__all__ = ["advice", "reason_in_vllm_log"]

_PREFIX = re.compile(r"^(?:\([\w ./-]+?pid=\d+\) ?)?(?:(?:ERROR|CRITICAL|WARNING|INFO) \d\d-\d\d [\d:]+ \[[^\]]*\] ?)?")
_ERROR = re.compile(r"^(?:[a-zA-Z_]\w*\.)*(?P<kind>[A-Z]\w*(?:Error|Exception|NotFound|Interrupt))(?:: (?P<said>.+))?$")
_USAGE = re.compile(r"^\S+\.py: error: (?P<said>.+)$")
_DETAIL = re.compile(r"^\s+(?:Value error|Assertion failed), (?P<said>.+?)(?: \[type=.*)?$")
_HOLLOW = re.compile(
    r"Engine core initialization failed|WorkerProc initialization failed|cancelled|Engine process failed|"
    r"Executor failed|EngineDeadError|EngineCore encountered an issue"
)
"""Said by vLLM after its engine died of something else."""
_FOLDER = re.compile(r"(?<![\w.:/])(?:~|[A-Za-z]:)?[\\/](?:[^\s'\"\\/]+[\\/])+")


@dataclass(frozen=True, slots=True)
class _Known:
    """A failure that there is a way out of."""

    sign: re.Pattern[str]
    way_out: str


_KNOWN = (
    _Known(
        re.compile(r"CUDA out of memory|OutOfMemoryError|HIP out of memory|Cannot allocate memory|bad_alloc", re.I),
        "less memory: backend.slots=1, a smaller backend.context_tokens, backend.quantization=fp8, more GPUs "
        "(backend.tensor_parallel), or a smaller model",
    ),
    _Known(
        re.compile(r"Free memory on device .* is less than desired", re.I),
        "end what else uses the GPU, or take less of it: backend.gpu_memory_frac=0.5",
    ),
    _Known(
        re.compile(r"kv cache allocation is less than requested", re.I),
        "a smaller backend.cpu_cache_gib, or end what else uses the memory",
    ),
    _Known(
        re.compile(r"NUMA nodes", re.I),
        "backend.tensor_parallel=1: on a processor at most one part for each NUMA node",
    ),
    _Known(
        re.compile(r"tool.?(?:call )?parser|reasoning.?parser", re.I),
        "correct backend.tool_parser or backend.reasoning_parser",
    ),
    _Known(
        re.compile(r"KV cache (?:memory|is needed)|cache blocks|stored in (?:the )?KV cache|Not enough memory", re.I),
        "a smaller backend.context_tokens, or more room: backend.cpu_cache_gib on a processor, "
        "backend.gpu_memory_frac on a GPU",
    ),
    _Known(
        re.compile(r"max_model_len .*greater than the derived|larger than the derived|max_position_embeddings", re.I),
        "a smaller backend.context_tokens, or null for the model's own",
    ),
    _Known(
        re.compile(
            r"quantization method|quantization .*(?:not supported|does not match|unsupported)|config file for \w+", re.I
        ),
        "leave backend.quantization out (what the weights say is taken), or name one that this vLLM and this machine "
        "have",
    ),
    _Known(
        re.compile(r"torchvision::nms|torchvision|torchaudio|torchcodec", re.I),
        "these packages do not fit its torch and are not needed: pip uninstall torchvision torchaudio torchcodec in "
        "that environment, or make vllm-env",
    ),
    _Known(
        re.compile(r"unrecognized arguments|invalid choice|expected one argument", re.I),
        "correct backend.extra_args or the option's value; this vLLM may be older than 0.32",
    ),
    _Known(re.compile(r"address already in use", re.I), "another program took the port meanwhile: run again"),
    _Known(
        re.compile(r"libcudart|libcuda|No CUDA GPUs|Failed to infer device type|no NVIDIA driver", re.I),
        "this build of vLLM wants a GPU: make vllm-env VLLM=cpu, or name another Python: backend.python=…",
    ),
    _Known(
        re.compile(r"Model architectures .* (?:are )?not supported|does not recognize this architecture", re.I),
        "this vLLM cannot run that model: a newer one (backend.python=…), or backend=llamacpp with its GGUF",
    ),
    _Known(
        re.compile(r"rank .*(?:greater|larger|exceeds)|max_lora_rank|PEFT|adapter_config", re.I),
        "check the adapters of backend.lora against the base model",
    ),
)


def reason_in_vllm_log(log: str) -> str:
    r"""The line of vLLM's log that explains a failure, without time, process and folders; empty where none does.

    The first error with something to say is the cause; what the processes above it say afterwards is not.
    >>> reason_in_vllm_log("(EngineCore pid=9) ERROR 11-21 14:00:00 [core.py:1] ValueError: no room\nRuntimeError: x\n")
    'no room'
    """
    said = ""
    for raw in log.splitlines():
        line = _PREFIX.sub("", raw).rstrip()
        usage, detail, error = _USAGE.match(line), _DETAIL.match(line), _ERROR.match(line)
        if usage:
            return _plain(usage["said"])
        if detail:  # below the head of a validation error, which only counts them
            return _plain(detail["said"])
        if error and not said and not _HOLLOW.search(line):
            found = error["said"] or error["kind"]
            said = "" if "validation error" in found else found if error["said"] else error["kind"]
            if said and error["kind"] in {"KeyError", "AttributeError", "ImportError", "OutOfMemoryError"}:
                said = f"{error['kind']}: {said}"
    return _plain(said)


def advice(reason: str) -> str:
    """What to type about a reason; empty for one that is not known."""
    return next((one.way_out for one in _KNOWN if one.sign.search(reason)), "")


def _plain(said: str) -> str:
    return _FOLDER.sub("", " ".join(said.split()))[:300]
