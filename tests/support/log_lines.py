"""One small entry of each format of logs, written after the formats' own documents; and ways to write files of them."""

from typing import Any

import orjson

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "description": "Weather of a city", "parameters": SCHEMA},
}
USAGE: dict[str, Any] = {
    "prompt_tokens": 90,
    "completion_tokens": 12,
    "total_tokens": 102,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
CALLS: list[dict[str, Any]] = [
    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Riga"}'}}
]
MESSAGES: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "Weather in Riga?"},
    {"role": "assistant", "content": None, "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
]
NORMAL: tuple[dict[str, Any], ...] = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Riga?"},
    {"role": "assistant", "tool_calls": [{"id": "c1", "name": "weather", "arguments": '{"city": "Riga"}'}]},
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
)
"""What MESSAGES are in normal form, whichever format they were logged in."""


def chat_request(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4.1", "messages": MESSAGES, "tools": [TOOL], "temperature": 0, **more}


def chat_response(**message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "model": "gpt-4.1-2025-04-14",
        "created": 1754065160,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Rain.", **message},
            }
        ],
        "usage": USAGE,
    }


def chat_line(**more: Any) -> dict[str, Any]:
    return {
        "timestamp": "2025-08-01T16:19:20Z",
        "trace_id": "t1",
        "step": 3,
        "agent": "support",
        "request": chat_request(),
        "response": chat_response(),
        "latency_s": 1.25,
        "cost_usd": 0.002,
        **more,
    }


def responses_line(**more: Any) -> dict[str, Any]:
    return {
        "request": {
            "model": "gpt-5",
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Weather in Riga?"}]},
                {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Riga"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "rain"},
            ],
            "tools": [
                {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True},
                {"type": "web_search"},
            ],
            "max_output_tokens": 50,
        },
        "response": {
            "object": "response",
            "id": "resp_1",
            "created_at": 1754065160,
            "status": "completed",
            "model": "gpt-5-2025-08-07",
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "It rains."}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Rain."}]},
            ],
            "usage": {
                "input_tokens": 90,
                "input_tokens_details": {"cached_tokens": 64},
                "output_tokens": 12,
                "output_tokens_details": {"reasoning_tokens": 4},
            },
        },
        **more,
    }


def anthropic_line(**more: Any) -> dict[str, Any]:
    return {
        "request": {
            "model": "claude-sonnet-4-5",
            "max_tokens": 100,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": "Weather in Riga?"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Riga"}}],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "rain"}]},
                        {"type": "text", "text": "So?"},
                    ],
                },
            ],
            "tools": [{"name": "weather", "description": "Weather of a city", "input_schema": SCHEMA}],
            "tool_choice": {"type": "any"},
        },
        "response": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5-20250929",
            "stop_reason": "end_turn",
            "content": [
                {"type": "thinking", "thinking": "It rains.", "signature": "x"},
                {"type": "text", "text": "Rain."},
            ],
            "usage": {
                "input_tokens": 10,
                "cache_read_input_tokens": 64,
                "cache_creation_input_tokens": 16,
                "output_tokens": 12,
            },
        },
        **more,
    }


def flywheel_line(**more: Any) -> dict[str, Any]:
    return {
        "timestamp": 1754065160,
        "workload_id": "router",
        "client_id": "shop",
        "request": chat_request(),
        "response": chat_response(),
        **more,
    }


def litellm_line(**more: Any) -> dict[str, Any]:
    return {
        "id": "call-1",
        "trace_id": "t1",
        "call_type": "acompletion",
        "stream": False,
        "response_cost": 0.002,
        "status": "success",
        "custom_llm_provider": "openai",
        "total_tokens": 102,
        "prompt_tokens": 90,
        "completion_tokens": 12,
        "startTime": 1754065160.5,
        "endTime": 1754065162.5,
        "completionStartTime": 1754065161.0,
        "response_time": 2.0,
        "model": "gpt-4.1",
        "model_group": "main",
        "metadata": {"user_api_key_end_user_id": "u7"},
        "cache_hit": False,
        "end_user": "",
        "messages": MESSAGES,
        "response": chat_response(),
        "model_parameters": {"temperature": 0, "tools": [TOOL]},
        "hidden_params": {},
        **more,
    }


def tensorzero_line(**more: Any) -> dict[str, Any]:
    return {
        "id": "019864f1-0a5c-7000-8000-000000000001",
        "function_name": "answer",
        "variant_name": "gpt",
        "episode_id": "019864f1-0000-7000-8000-000000000000",
        "input": orjson.dumps(
            {
                "system": "Be brief.",
                "messages": [
                    {"role": "user", "content": [{"type": "text", "value": "Weather in Riga?"}]},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "tool_call", "id": "c1", "name": "weather", "arguments": '{"city": "Riga"}'}
                        ],
                    },
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "id": "c1", "name": "weather", "result": "rain"}],
                    },
                ],
            }
        ).decode(),
        "output": orjson.dumps([{"type": "text", "text": "Rain."}]).decode(),
        "tool_params": orjson.dumps(
            {
                "tools_available": [{"name": "weather", "description": "Weather of a city", "parameters": SCHEMA}],
                "tool_choice": "auto",
            }
        ).decode(),
        "inference_params": orjson.dumps({"chat_completion": {"temperature": 0}}).decode(),
        "processing_time_ms": 1250,
        "tags": {"user_id": "u7"},
        **more,
    }


def attributes(**values: Any) -> list[dict[str, Any]]:
    """OTLP's list of attributes; `__` in a name stands for a point."""
    return [{"key": key.replace("__", "."), "value": _any_value(value)} for key, value in values.items()]


def _any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(one) for one in value]}}
    return {"stringValue": value if isinstance(value, str) else orjson.dumps(value).decode()}


def otel_span(held: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "parentSpanId": "eee19b7ec3c1b173",
        "name": "chat gpt-4.1",
        "kind": 3,
        "startTimeUnixNano": "1754065160500000000",
        "endTimeUnixNano": "1754065162500000000",
        "attributes": held,
        **more,
    }


def otel_document(*spans: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": attributes(service__name="shop")}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def otel_current() -> list[dict[str, Any]]:
    """Attributes of the current conventions."""
    inside = [
        {"role": "user", "parts": [{"type": "text", "content": "Weather in Riga?"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Riga"}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}]},
    ]
    out = [{"role": "assistant", "parts": [{"type": "text", "content": "Rain."}], "finish_reason": "stop"}]
    return attributes(
        gen_ai__operation__name="chat",
        gen_ai__provider__name="openai",
        gen_ai__request__model="gpt-4.1",
        gen_ai__request__temperature=0.0,
        gen_ai__request__stop_sequences=["END"],
        gen_ai__response__model="gpt-4.1-2025-04-14",
        gen_ai__conversation__id="conv1",
        gen_ai__usage__input_tokens=90,
        gen_ai__usage__output_tokens=12,
        gen_ai__usage__cache_read__input_tokens=64,
        gen_ai__system_instructions=[{"type": "text", "content": "Be brief."}],
        gen_ai__input__messages=inside,
        gen_ai__output__messages=out,
        gen_ai__tool__definitions=[TOOL],
    )


def langfuse_observation(**more: Any) -> dict[str, Any]:
    return {
        "id": "obs1",
        "traceId": "t1",
        "type": "GENERATION",
        "name": "chat",
        "startTime": "2025-08-01T16:19:20.500Z",
        "endTime": "2025-08-01T16:19:22.500Z",
        "completionStartTime": "2025-08-01T16:19:21.000Z",
        "model": "gpt-4.1",
        "modelParameters": {"temperature": 0},
        "input": {"messages": MESSAGES, "tools": [TOOL]},
        "output": {"role": "assistant", "content": "Rain."},
        "usageDetails": {"input": 26, "input_cached_tokens": 64, "output": 12, "total": 102},
        "totalCost": 0.002,
        "latency": 2.0,
        "parentObservationId": "span1",
        **more,
    }


def langfuse_trace(*observations: dict[str, Any], **more: Any) -> dict[str, Any]:
    trace = {"id": "t1", "name": "support", "sessionId": "s1", "userId": "u7", **more}
    return {"trace": trace, "observations": list(observations)}


def specimens() -> dict[str, list[dict[str, Any]]]:
    """Entries by the format that they are in."""
    return {
        "openai": [chat_line(), {"messages": MESSAGES, "completion": "Rain."}, {"input": MESSAGES, "output": CALLS[0]}],
        "responses": [responses_line()],
        "anthropic": [anthropic_line()],
        "flywheel": [flywheel_line()],
        "litellm": [litellm_line()],
        "tensorzero": [tensorzero_line()],
        "otel": [otel_document(otel_span(otel_current()))],
        "langfuse": [langfuse_trace(langfuse_observation()), langfuse_observation()],
    }
