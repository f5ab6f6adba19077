"""Our backends as a model provider of Inspect's: `inspect eval task.py --model harness/smollm2`.

Inspect finds it by the entry-point group `inspect_ai`. Any name of `conf/model` will do; `-M` changes the model's
configuration (`-M protocol=constrained`), its backend's (`-M backend.slots=4`) and the run's (`-M run.deadline_s=30`).
"""

from contextvars import ContextVar

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log._samples import sample_active
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, RetryDecision, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo
from tenacity import wait_random_exponential
from tenacity.wait import WaitBaseT

from harness.backends.blame import RETRYABLE
from harness.config import LlamaCppConfig
from harness.cost import hosted_cost_usd
from harness.errors import BackendError, HarnessError
from harness.interop.compose import compose_model
from harness.interop.inspect_chat import Asked, ask_body, messages_of, model_output, offered_tools
from harness.interop.served import Served, shared_engine
from harness.prices import priced
from harness.records import Failure

__all__ = ["OFFERED", "PROVIDER", "HarnessModel", "LostError"]

PROVIDER = "harness"
OFFERED: ContextVar[Served | None] = ContextVar("harness_offered", default=None)
"""The engine of a run of ours that Inspect works for: a model of its name is that engine."""
_DEFAULT_CONNECTIONS = 10


class LostError(BackendError):
    """A request that was lost to the infrastructure; Inspect may try it again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"lost to the infrastructure ({failure.kind}): {failure.message}")
        self.failure = failure


@modelapi(name=PROVIDER)
class HarnessModel(ModelAPI):
    """One model of `conf/model`, on the backend that its configuration names."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's signature
        **changes: object,
    ) -> None:
        """Composes the configuration and finds the weights; the engine comes up with the first request.

        Raises PrerequisiteError, which Inspect shows as one line, where that cannot be.
        """
        super().__init__(model_name, base_url, api_key, [], config)
        self._own: Served | None = None
        if not changes and self._offered() is not None:
            return
        if base_url is not None:
            changes = {"url": base_url, "backend": "endpoint", **changes}
        try:
            run = compose_model(model_name, changes)
            run = run.model_copy(update={"model": priced(run.model, getattr(run.backend, "python", None))})
            self._own = shared_engine(run, api_key)
            self._own.backend.prepare()
        except HarnessError as error:
            raise PrerequisiteError(f"model {PROVIDER}/{model_name}: {error}") from None

    def _offered(self) -> Served | None:
        offered = OFFERED.get()
        return offered if offered is not None and offered.config.model.name == self.model_name else None

    @property
    def _served(self) -> Served:
        """The engine: a model may outlive a run of ours in Inspect's memory, and then works for the next."""
        found = self._own or self._offered()
        if found is None:
            raise BackendError(f"the engine of {PROVIDER}/{self.model_name} is down; make the model anew")
        return found

    def max_tokens(self) -> int | None:
        """The model's own limit, where neither task nor command line sets one."""
        return self._served.config.model.generation.max_tokens

    def max_connections(self) -> int:
        """As many as the engine has slots."""
        backend = self._served.config.backend
        return backend.slots if isinstance(backend, LlamaCppConfig) else _DEFAULT_CONNECTIONS

    def connection_key(self) -> str:
        """Each model has an engine of its own."""
        return self.model_name

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """The reply. A failure of the model's is a reply with the fitting stop reason.

        Raises LostError for one of the infrastructure's, BackendError for one of ours, DataError for what this client
        cannot send.
        """
        served = self._served
        model, settings = served.config.model, served.config.run
        as_text = model.protocol != "native"
        offered = offered_tools(tools, tool_choice, as_text=as_text)
        seed = config.seed if config.seed is not None else settings.seed + _trial()
        asked = Asked(model.protocol, offered, seed, turn=len(input))
        messages = messages_of(input, as_text=as_text)
        endpoint = await served.up()
        body = ask_body(model, endpoint, asked, messages, tool_choice, config)
        reading = await served.ask(body, deadline_s=settings.deadline_s, stall_s=settings.stall_s)
        failure = reading.failure
        if failure is not None and failure.boundary == "infrastructure":
            raise LostError(failure)
        if failure is not None and failure.boundary == "harness":
            raise BackendError(f"the request was wrong: {failure.message}")
        cost = None if model.price is None else hosted_cost_usd(reading.usage, model.price)
        return model_output(model.name, asked, reading, cost)

    def should_retry(self, ex: Exception) -> bool | RetryDecision:
        """Whether a byte-identical retry may help: for infrastructure failures that pass."""
        if not isinstance(ex, LostError) or ex.failure.kind not in RETRYABLE:
            return False
        decide = RetryDecision.rate_limit if ex.failure.kind == "rate_limit" else RetryDecision.transient
        return decide(ex.failure.retry_after_s)

    def retry_wait(self) -> WaitBaseT:
        """As our own runs wait: at random below a ceiling that doubles from half a second to half a minute."""
        return wait_random_exponential(multiplier=0.5, max=30)

    def is_auth_failure(self, ex: Exception) -> bool:
        """Whether the key was refused."""
        return isinstance(ex, LostError) and ex.failure.kind == "auth"


def _trial() -> int:
    """Number of the epoch, so that each has a seed of its own as our trials have; 0 outside a sample."""
    active = sample_active()
    return 0 if active is None else active.epoch - 1
