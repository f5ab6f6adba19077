"""A causal language model in plain transformers: one request at a time, by `generate`. Needs torch and transformers."""

import hashlib
import importlib.metadata
import importlib.util
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from harness.backends.transformers_ask import Ask, RefusalError
from harness.backends.transformers_child import LaneSettings

__all__ = ["Engine", "Outcome"]

_PROBE = "tool_whose_name_is_looked_for"
_NO_CONTEXT = 4096
"""Where a configuration does not say what the model was trained for."""
_WHITESPACE = r"( |\n{1,2}[ \t]{0,20})?"
"""What llama.cpp's grammars allow between the tokens of JSON: without a bound small models fill the reply with it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a generation went."""

    prompt_tokens: int
    output_tokens: int
    """The one that ended it included."""
    reason: str
    """`stop`, `length`, or `gone` where nobody listened any more."""
    prompt_s: float
    """Until the first token."""
    predicted_s: float
    """From the first to the last."""


def pick_device(asked: str) -> str:
    """The device by name. Raises ValueError where this machine or this build of torch has none such."""
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, here in has.items() if here)
    if not has[asked.partition(":")[0]]:
        msg = f"backend.device={asked}, but torch {torch.__version__} sees no such device here: backend.device=auto"
        raise ValueError(msg)
    return asked


class Engine:
    """A loaded model with its tokenizer."""

    def __init__(self, settings: LaneSettings) -> None:
        """Loads. Raises what transformers and peft raise, ValueError for settings that cannot be followed."""
        self._settings = settings
        self.device = pick_device(settings.device)
        torch.set_num_threads(settings.threads)
        transformers.utils.logging.disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(settings.folder, local_files_only=True)
        self.template_from = "configuration" if settings.chat_template else "weights"
        self.template = settings.chat_template or self.tokenizer.get_chat_template()
        model = AutoModelForCausalLM.from_pretrained(
            settings.folder,
            dtype=settings.dtype,
            attn_implementation=settings.attention,
            local_files_only=True,
            use_safetensors=True,
        )
        self.parameters = sum(one.numel() for one in model.parameters())
        self._ends = _ends(model, self.tokenizer)
        if settings.adapter is not None:
            model = self._adapted(model, settings.adapter)
        self.model = model.to(self.device).eval()
        pad = self.tokenizer.pad_token_id
        self._pad = pad if pad is not None else next(iter(self._ends), 0)
        self.model.generation_config = GenerationConfig(pad_token_id=self._pad)  # the request decides, nothing else
        self.context_tokens = self._context()
        self._one = threading.Lock()
        self._grammars: Any = None

    def _adapted(self, model: Any, adapter: str) -> Any:
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(model, adapter)
        return adapted.merge_and_unload() if self._settings.merge else adapted

    def _context(self) -> int:
        trained = getattr(self.model.config, "max_position_embeddings", None)
        asked = self._settings.context_tokens
        if asked is not None and trained is not None and asked > trained:
            msg = f"backend.context_tokens={asked} is more than the {trained} that the model was trained for"
            raise ValueError(msg)
        return int(asked or trained or _NO_CONTEXT)

    def facts(self) -> dict[str, Any]:
        """What was loaded and how, for the manifest."""
        config = self.model.config
        on = torch.cuda.get_device_name(self.device) if self.device.startswith("cuda") else self.device
        return {
            "build": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "device": self.device,
            "device_name": on,
            "dtype": str(next(self.model.parameters()).dtype).removeprefix("torch."),
            "attention": str(getattr(config, "_attn_implementation", None)),
            "parameters": self.parameters,
            "context_tokens": self.context_tokens,
            "template_sha256": hashlib.sha256(self.template.encode()).hexdigest(),
            "template_from": self.template_from,
            "tools": self._shows_tools(),
            "ends": sorted(self._ends),
            "versions": _versions(),
        }

    def _shows_tools(self) -> bool:
        function = {"name": _PROBE, "description": "x", "parameters": {"type": "object", "properties": {}}}
        try:
            text = self._rendered([{"role": "user", "content": "x"}], [{"type": "function", "function": function}], {})
        except RefusalError:
            return False
        return _PROBE in text

    def _rendered(self, messages: list[dict[str, Any]], tools: Any, options: dict[str, Any]) -> str:
        try:
            text = self.tokenizer.apply_chat_template(
                messages,
                tools=tools,
                chat_template=self.template,
                add_generation_prompt=True,
                tokenize=False,
                **options,
            )
        except Exception as error:  # templates raise what they like; llama.cpp answers so too
            raise RefusalError(400, f"the chat template refuses these messages: {error}", "invalid_request") from None
        return str(text)

    def prompt(self, ask: Ask) -> list[int]:
        """Token ids of the request. Raises RefusalError where template or context do not take it."""
        text = self._rendered(ask.messages, ask.tools, ask.template_options)
        ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        if len(ids) >= self.context_tokens:
            raise RefusalError(
                400,
                f"the maximum context length is {self.context_tokens} tokens, and the prompt has {len(ids)}",
                "context_length_exceeded",
            )
        return ids

    def generate(self, ask: Ask, ids: list[int], say: Callable[[str], bool], gone: Callable[[], bool]) -> Outcome:
        """Generates, telling `say` each new piece of text (it answers whether to go on). Waits for its turn.

        Raises RefusalError for a schema that no grammar can be made of.
        """
        grammar = self._grammar(ask.schema) if ask.schema is not None else None
        with self._one:
            if ask.seed is not None:
                torch.manual_seed(ask.seed % 2**63)
            room = self.context_tokens - len(ids)
            ends = frozenset() if ask.ignore_end else self._ends
            watch = _Watch(self.tokenizer, ends, grammar, say, gone, self.device)
            if gone():
                return Outcome(len(ids), 0, "gone", 0.0, 0.0)
            watch.began = time.perf_counter()
            with torch.inference_mode():
                prompt = torch.tensor([ids], device=self.device)
                self.model.generate(
                    prompt,
                    attention_mask=torch.ones_like(prompt),
                    generation_config=_sampling(ask, min(ask.max_tokens or room, room), self._pad),
                    stopping_criteria=[watch],
                    logits_processor=[] if grammar is None else [_Held(grammar)],
                )
            return watch.outcome(len(ids))

    def _grammar(self, schema: str) -> Any:
        import llguidance
        import llguidance.hf

        if self._grammars is None:
            size = self.model.get_output_embeddings().weight.shape[0]
            self._grammars = llguidance.hf.from_tokenizer(self.tokenizer, n_vocab=size, eos_token=sorted(self._ends))
        try:
            grammar = llguidance.LLMatcher.grammar_from_json_schema(
                schema, defaults={"whitespace_pattern": _WHITESPACE}
            )
            matcher = llguidance.LLMatcher(self._grammars, grammar)
        except ValueError as error:
            raise RefusalError(400, f"invalid schema: {error}"[:500], "invalid_schema") from None
        if matcher.is_error():
            raise RefusalError(400, f"invalid schema: {matcher.get_error()}"[:500], "invalid_schema")
        return matcher


def _versions() -> dict[str, str]:
    """Versions of what decides an answer."""
    names = ("torch", "transformers", "tokenizers", "peft", "llguidance")
    here = {name: importlib.metadata.version(name) for name in names if importlib.util.find_spec(name)}
    return {name: one for name, one in here.items() if one}


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids that end a reply: those of the generation configuration, else of the tokenizer."""
    given = model.generation_config.eos_token_id
    named = given if isinstance(given, list) else [given]
    return frozenset(one for one in [*named, tokenizer.eos_token_id] if one is not None)


def _sampling(ask: Ask, most: int, pad: int) -> GenerationConfig:
    """Everything said, since transformers fills what is not said with defaults of its own (top_k=50)."""
    common = {"max_new_tokens": most, "pad_token_id": pad, "use_cache": True, "repetition_penalty": ask.repeat_penalty}
    if ask.temperature == 0:
        return GenerationConfig(do_sample=False, **common)
    sampled = {"temperature": ask.temperature, "top_p": ask.top_p, "top_k": ask.top_k}
    return GenerationConfig(do_sample=True, min_p=ask.min_p or None, **sampled, **common)


@dataclass(slots=True)
class _Held:
    """Masks the tokens that the grammar does not allow next."""

    matcher: Any

    def __call__(self, _: Any, scores: Any) -> Any:
        import llguidance.numpy as masks

        bits = masks.allocate_token_bitmask(1, scores.shape[-1])
        masks.fill_next_token_bitmask(self.matcher, bits)
        allowed = torch.from_numpy(bits.view("uint8")).unsqueeze(-1) >> torch.arange(8, dtype=torch.uint8) & 1
        allowed = allowed.reshape(1, -1)[:, : scores.shape[-1]].bool().to(scores.device)
        return scores.masked_fill(~allowed, float("-inf"))


@dataclass(slots=True)
class _Watch:
    """Called after every token: turns it into text, and says when to stop."""

    tokenizer: Any
    ends: frozenset[int]
    grammar: Any
    say: Callable[[str], bool]
    gone: Callable[[], bool]
    device: str
    began: float = 0.0
    first: float | None = None
    last: float = 0.0
    reason: str = "length"
    ids: list[int] = field(default_factory=list)
    _from: int = 0
    _read: int = 0

    def __call__(self, input_ids: Any, _: Any, **__: Any) -> Any:
        stop = self._next(int(input_ids[0, -1]))
        return torch.full((1,), stop, dtype=torch.bool, device=self.device)

    def _next(self, token: int) -> bool:
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.ids.append(token)
        if token in self.ends:
            return self._over("stop")
        if self.grammar is not None and not self.grammar.consume_token(token):
            msg = f"the grammar does not take the token {token}: {self.grammar.get_error()}"
            raise RuntimeError(msg)
        if not self.say(self._text(final=False)):
            return self._over("stop")
        if self.grammar is not None and self.grammar.is_stopped():
            return self._over("stop")
        return self._over("gone") if self.gone() else False

    def _over(self, reason: str) -> bool:
        self.reason = reason
        return True

    def _text(self, *, final: bool) -> str:
        """What the tokens since the last piece add; waits for the rest of a character that is not whole."""
        before = self._decoded(self.ids[self._from : self._read])
        now = self._decoded(self.ids[self._from :])
        if len(now) <= len(before) or (now.endswith("\ufffd") and not final):
            return ""
        self._from, self._read = self._read, len(self.ids)
        return now[len(before) :]

    def _decoded(self, ids: list[int]) -> str:
        if not ids:
            return ""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def outcome(self, prompt_tokens: int) -> Outcome:
        """The count, with what is left of the text said."""
        if self.reason != "gone":
            self.say(self._text(final=True))
        first = self.first or self.began
        return Outcome(prompt_tokens, len(self.ids), self.reason, first - self.began, max(0.0, self.last - first))
