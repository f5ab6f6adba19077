"""The names that calls, their parameters and their usage have in the attributes of spans."""

from harness.logs.tools import OF_PROVIDER

__all__ = [
    "ASKED_EVENTS",
    "CALLS",
    "DEEPEST",
    "KNOWN_PARAMS",
    "MODEL",
    "NO_CALLS",
    "PARAMS",
    "USAGE",
    "WHOLE_IN",
    "WHOLE_OUT",
]

DEEPEST = 12
CALLS = frozenset({"chat", "text_completion", "generate_content", "completion", "generate", "message", "response"})
NO_CALLS = {
    "embeddings": "embedding call", "embedding": "embedding call", "execute_tool": "no generation: a tool span",
    "tool": "no generation: a tool span", "invoke_agent": "no generation: an agent span",
    "agent": "no generation: an agent span",
    "create_agent": "no generation: an agent span", "chain": "no generation: a chain span",
    "workflow": "no generation: a chain span", "task": "no generation: a chain span",
    "retriever": "no generation: a retrieval span",
    "retrieval": "no generation: a retrieval span", "reranker": "rerank call", "rerank": "rerank call",
    "guardrail": "no generation: a guardrail span", "evaluator": "no generation: an evaluation span",
}  # fmt: skip
MODEL = ("gen_ai.request.model", "llm.model_name", "ai.model.id", "llm.request.model", "gen_ai.response.model")
PARAMS = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "max_tokens", "seed": "seed",
    "stop_sequences": "stop", "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty",
    "choice.count": "n", "tool_choice": "tool_choice",
}  # fmt: skip
KNOWN_PARAMS = frozenset({
    "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "stop", "seed", "n",
    "frequency_penalty",
    "presence_penalty", "repetition_penalty", "tool_choice", "parallel_tool_calls", "response_format",
    "reasoning_effort",
    "reasoning", "thinking", "logprobs", "top_logprobs", "logit_bias", "service_tier", "verbosity", "prediction",
    "modalities",
    OF_PROVIDER,
})  # fmt: skip
WHOLE_IN = ("langfuse.observation.input", "input.value", "gen_ai.prompt", "mlflow.spanInputs", "request_data",
    "traceloop.entity.input",
             "gcp.vertex.agent.llm_request")  # fmt: skip
WHOLE_OUT = ("langfuse.observation.output", "output.value", "gen_ai.completion", "mlflow.spanOutputs", "response_data",
              "traceloop.entity.output", "gcp.vertex.agent.llm_response")  # fmt: skip
ASKED_EVENTS = {
    "gen_ai.system.message": "system", "gen_ai.user.message": "user", "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}  # fmt: skip


USAGE = {
    "prompt_tokens": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.promptTokens",
        "ai.usage.inputTokens", "llm.usage.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "ai.usage.completionTokens", "ai.usage.outputTokens", "llm.usage.completion_tokens",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens", "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens",
    ),
}  # fmt: skip
"""Usage by the names that it is logged under."""
