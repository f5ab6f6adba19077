"""Runs of the other families for the pages: instructions, code, answers, agents' tasks. Made up, summed up truly."""

from collections.abc import Callable, Sequence
from random import Random

from pydantic import JsonValue

from harness.config import (
    EndpointConfig,
    HardwareConfig,
    ModelConfig,
    PathsConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
)
from harness.records import (
    AgentTarget,
    Attempt,
    CodeTarget,
    Disturbance,
    Instruction,
    InstructionTarget,
    JudgeFacts,
    Message,
    MissClass,
    Protocol,
    Reply,
    Sample,
    Score,
    Step,
    TaskTarget,
    TextTarget,
    Timing,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)
from harness.records.summary import GrammarSummary
from harness.report.view import RunView
from harness.runner.summarise import summarise
from harness.runner.tally import Tally
from tests.support.report_runs import made_manifest, made_run

Made = tuple[Attempt, Score]

_MODELS = {"smollm2": "SmolLM2-135M-Instruct", "gemma3_270m": "Gemma 3 270M", "qwen25_05b": "Qwen2.5 0.5B Instruct"}


def view(
    suite: str,
    samples: Sequence[Sample],
    make: Callable[[Sample, int, Random], Made],
    model: str = "smollm2",
    protocol: Protocol = "prompted",
    *,
    trials: int = 1,
    tasks: tuple[str, ...] = (),
    started_at: str = "2026-03-04T08:00:00Z",
) -> RunView:
    """A run whose summary is what the runner would have made of its lines."""
    run = f"{started_at[:10]}_{suite}_{model}_{protocol}"
    manifest = made_manifest(run, model, protocol, "Q4_1", started_at, f"{len(suite):02x}" * 32)
    asked: dict[str, JsonValue] = {**manifest.config, "suite": {"name": suite, "tasks": [*tasks]}}
    manifest = manifest.model_copy(update={"suite": suite, "config": asked})
    random, tally = Random(f"{suite}{model}"), Tally()
    made = [make(sample, trial, random) for trial in range(trials) for sample in samples]
    by_id = {sample.id: sample for sample in samples}
    for attempt, score in made:
        tally.add(by_id[attempt.sample], attempt, score)
    config = RunConfig(
        do="run",
        paths=PathsConfig(),
        suite=SuiteConfig(name=suite),
        model=ModelConfig(name=model, title=_MODELS.get(model, model), licence="Apache-2.0", protocol=protocol),
        backend=EndpointConfig(name="endpoint"),
        hardware=HardwareConfig(name="laptop", title="Laptop", usd_per_hour=0.07),
        run=RunnerConfig(trials=trials),
    )
    summary = summarise(tally, manifest, config, len(made), _MODELS.get(model, model))
    return RunView.of(manifest, summary, samples, [attempt for attempt, _ in made], [score for _, score in made])


def _timing(random: Random, tokens: int, start_s: float = 0.35) -> Timing:
    first = round(start_s * random.lognormvariate(0, 0.3) * 1e9)
    last = first + round(tokens * 0.012 * random.uniform(0.9, 1.2) * 1e9)
    return Timing(
        at=1_772_600_000.0, first_byte_ns=first // 2, first_content_ns=first, last_ns=last, end_ns=last + 10**6
    )


def _attempt(sample: Sample, trial: int, random: Random, text: str, model: str, finish: str = "stop") -> Attempt:
    tokens = max(3, len(text) // 4)
    return Attempt(
        sample=sample.id,
        model=model,
        protocol="prompted",
        trial=trial,
        backend="llamacpp",
        reply=Reply(content=text, finish_reason=finish),
        timing=_timing(random, tokens),
        usage=Usage(prompt_tokens=180, output_tokens=tokens, counted_by="server"),
    )


def _score(sample: Sample, trial: int, value: float, miss: MissClass | None = None, why: str = "") -> Score:
    return Score(
        sample=sample.id, category=sample.category, trial=trial, scorer="made", value=value, miss=miss,
        boundary="model" if miss else None, why=why,
    )  # fmt: skip


def instruct_run(model: str = "smollm2", skill: float = 0.35) -> RunView:
    """IFEval-like: two or three instructions a prompt, followed one by one."""
    kinds: tuple[tuple[str, dict[str, object]], ...] = (
        ("keywords:existence", {"keywords": ["harbour", "tide"]}),
        ("length_constraints:number_words", {"relation": "at least", "num_words": 60}),
        ("detectable_format:number_bullet_lists", {"num_bullets": 3}),
        ("punctuation:no_comma", {}),
        ("startend:quotation", {}),
    )
    samples = []
    for place in range(24):
        chosen = [kinds[(place + step) % len(kinds)] for step in range(1 + place % 3)]
        prompt = f"Write about a harbour town on day {place + 1}. Keep to the form that is asked for."
        each = tuple(Instruction.model_validate({"id": name, "arguments": given}) for name, given in chosen)
        target = InstructionTarget(prompt=prompt, instructions=each)
        category = f"{len(each)} instruction{'s' if len(each) > 1 else ''}"
        asked = (Message(role="user", content=prompt),)
        samples.append(
            Sample(id=f"ifeval_{place}", category=category, messages=asked, target=target, scorer="instruct")
        )

    def make(sample: Sample, trial: int, random: Random) -> Made:
        assert isinstance(sample.target, InstructionTarget)
        ids = [one.id for one in sample.target.instructions]
        strict = [random.random() < skill + 0.25 for _ in ids]
        loose = [held or random.random() < 0.15 for held in strict]
        text = '"' + "The tide comes in and the boats go out. " * (2 + trial + len(ids)) + '"'
        score = _score(sample, trial, float(all(strict)), None if all(strict) else "instruction_missed")
        by_kind = {f"strict:{name}": (int(held), 1) for name, held in zip(ids, strict, strict=True)}
        whole = {"instruction_strict": (sum(strict), len(ids)), "instruction_loose": (sum(loose), len(ids))}
        lost = [name for name, held in zip(ids, strict, strict=True) if not held]
        update = {
            "parts": {"prompt_strict": float(all(strict)), "prompt_loose": float(all(loose))},
            "counts": whole | by_kind,
            "why": f"not followed, {len(lost)} of {len(ids)}: {' | '.join(lost)}" if lost else "",
            "extracted": {"strict": strict, "loose": loose},
        }
        return _attempt(sample, trial, random, text, model), score.model_copy(update=update)

    return view("ifeval", samples, make, model)


_PROGRAM = "def {name}(values: list[int], k: int) -> list[int]:\n    return sorted(values)[{how}]\n"


def code_run(model: str = "smollm2", skill: float = 0.4, trials: int = 5) -> RunView:
    """HumanEval-like with further tests, several trials."""
    samples = []
    for place in range(12):
        name = ("largest", "smallest", "middle")[place % 3]
        given = f'def {name}(values: list[int], k: int) -> list[int]:\n    """The {name} k of the values."""\n'
        target = CodeTarget(
            prompt=given,
            entry_point=name,
            tests=f"assert {name}([3, 1, 2], 1) in ([3], [1], [2])\nassert len({name}([5, 4], 2)) == 2\n",
            extra_tests=f"assert {name}([], 0) == []\n" if place % 2 else None,
            solution="    return sorted(values)[:k]\n",
        )
        asked = (Message(role="user", content=f"Complete this function.\n\n```python\n{given}```"),)
        samples.append(Sample(id=f"HumanEval/{place}", category=name, messages=asked, target=target, scorer="code"))

    def make(sample: Sample, trial: int, random: Random) -> Made:
        assert isinstance(sample.target, CodeTarget)
        hard = Random(f"{model}{sample.id}").random()
        base = random.random() < max(0.02, min(0.98, skill + 0.9 * (0.5 - hard)))
        extra = base and random.random() < 0.8
        value = float(extra if sample.target.extra_tests else base)
        program = _PROGRAM.format(name=sample.target.entry_point, how=":k" if base else "-k")
        miss: MissClass | None = None
        if not value:
            miss = random.choices(("tests_failed", "does_not_compile", "program_limit", "no_answer"), (6, 3, 1, 1))[0]
        why = {
            "tests_failed": "AssertionError in line 1 of the tests",
            "does_not_compile": "SyntaxError: invalid syntax",
            "program_limit": "stopped after 10 s",
            "no_answer": "no program in the reply",
        }.get(miss or "", "")
        parts = {"base": float(base)} | ({"extra": float(extra)} if sample.target.extra_tests else {})
        update = {"parts": parts, "extracted": None if miss == "no_answer" else program}
        text = f"Here is the function.\n\n```python\n{program}```\nIt sorts and slices."
        return _attempt(sample, trial, random, text, model), _score(sample, trial, value, miss, why).model_copy(
            update=update
        )

    return view("humaneval", samples, make, model, trials=trials)


def answer_run(model: str = "smollm2", skill: float = 0.45) -> RunView:
    """A suite of one's own: choices, numbers, JSON, and answers that a model judges."""
    targets: tuple[tuple[str, str, TextTarget], ...] = (
        ("number", "How many minutes are three hours?", TextTarget(match="numeric", accepted=("180",), tolerance=0.5)),
        ("json", "Give the order as JSON: two teas to Ada.", TextTarget.model_validate(
            {"match": "json", "accepted": ('{"item": "tea", "count": 2, "to": "Ada"}',),
             "schema": {"type": "object", "required": ["item", "count"]}, "fields": ("item", "count", "to")})),
        ("pattern", "Name a date in March 2026 as YYYY-MM-DD.", TextTarget(match="regex", accepted=(r"2026-03-\d\d",))),
        ("judged", "Tell a customer politely that the parcel is late.", TextTarget(
            match="judge", rubric="Polite, says that it is late, says when it comes.", threshold=0.5)),
    )  # fmt: skip
    samples = [
        Sample(id=f"desk_{place}", category=kind, messages=(Message(role="user", content=asked),), target=target,
               scorer="judge" if kind == "judged" else "text")
        for place, (kind, asked, target) in enumerate(targets * 5)
    ]  # fmt: skip

    def make(sample: Sample, trial: int, random: Random) -> Made:
        right = random.random() < skill
        accepted = sample.target.accepted if isinstance(sample.target, TextTarget) else ()
        good = "Dear customer, your parcel is late; it comes on Friday." if sample.category == "judged" else accepted[0]
        broken = sample.category == "json" and random.random() < 0.6
        text = good if right else good.removesuffix("}") if broken else "I am not sure about that."
        miss: MissClass | None = None if right else "decode" if sample.category == "json" else "wrong_answer"
        score = _score(
            sample, trial, float(right), miss, "" if right else f"the answer is {text!r}, accepted: {good!r}"
        )
        judged = sample.category == "judged"
        facts = JudgeFacts(
            model="qwen2.5-7b-instruct", calls=2, seconds=round(random.uniform(1.1, 3.0), 2), prompt_tokens=610,
            output_tokens=44, cost_usd=0.00031, agreed=random.random() < 0.8,
        )  # fmt: skip
        repaired = 1.0 if broken and not right else None
        update = {"judge": facts if judged else None, "repaired": repaired, "extracted": text}
        return _attempt(sample, trial, random, text, model), score.model_copy(update=update)

    return view("desk", samples, make, model)


def choice_run(model: str = "smollm2", skill: float = 0.3) -> RunView:
    """Questions with four choices, where guessing gets a quarter."""
    samples = [
        Sample(
            id=f"choice_{place}",
            category=("history", "physics")[place % 2],
            messages=(Message(role="user", content=f"Question {place}: A, B, C or D?"),),
            target=TextTarget(match="choice", accepted=("ABCD"[place % 4],), choices=tuple("ABCD")),
            scorer="text",
        )
        for place in range(20)
    ]

    def make(sample: Sample, trial: int, random: Random) -> Made:
        assert isinstance(sample.target, TextTarget)
        right = random.random() < skill
        said = sample.target.accepted[0] if right else "E"
        score = _score(sample, trial, float(right), None if right else "wrong_answer", "" if right else "read E")
        return _attempt(sample, trial, random, said, model), score.model_copy(update={"extracted": said})

    return view("quiz", samples, make, model)


def lm_eval_run(model: str = "smollm2", skill: float = 0.2) -> RunView:
    """Two tasks of lm-eval: one that generates, one that asks how likely each choice is."""
    samples = [
        Sample(
            id=f"gsm8k_{place}" if place % 2 else f"arc_easy_{place}",
            category="gsm8k" if place % 2 else "arc_easy",
            messages=(Message(role="user", content=f"Question: how much is {place} and {place}?\nAnswer:"),),
            target=TaskTarget(
                task="gsm8k" if place % 2 else "arc_easy",
                data={"doc_id": place},
                pairs=() if place % 2 else tuple((f"Q{place}", f" {place + step}") for step in range(4)),
            ),
            scorer="lm_eval",
        )
        for place in range(16)
    ]

    def make(sample: Sample, trial: int, random: Random) -> Made:
        right = random.random() < skill
        score = _score(
            sample, trial, float(right), None if right else "wrong_answer", "" if right else "another number"
        )
        parts = {"exact_match,flexible-extract": float(right)} if sample.category == "gsm8k" else {"acc": float(right)}
        return _attempt(sample, trial, random, f"{place_of(sample)}", model), score.model_copy(update={"parts": parts})

    return view("lm_eval", samples, make, model, tasks=("gsm8k", "arc_easy"))


def place_of(sample: Sample) -> int:
    """The number at the end of a sample's id."""
    return int(sample.id.rsplit("_", 1)[1])


_NAME = {"name": {"type": "string"}}
_FIND = Tool.model_validate(
    {"name": "find_file", "description": "Finds a file by name.", "parameters": {"type": "object", "properties": _NAME}}
)
_MOVE = Tool.model_validate(
    {
        "name": "move_file",
        "description": "Moves a file into a folder.",
        "parameters": {"type": "object", "properties": _NAME | {"to": {"type": "string"}}},
    }
)


def agent_samples(n: int = 12) -> list[Sample]:
    """Tasks of one or two turns, every third with an injected instruction."""
    found = []
    for place in range(n):
        name = f"report_{place}.txt"
        find = ToolCall(name="find_file", arguments={"name": name})
        move = ToolCall(name="move_file", arguments={"name": name, "to": "archive"})
        later = Turn(messages=(Message(role="user", content=f"Now put {name} into the archive."),), tools=(_MOVE,))
        target = AgentTarget(
            environment="toy", task={"archive": [name]}, turns=(later,) if place % 2 else (),
            plan=((find,), (move,)) if place % 2 else ((find, move),),
        )  # fmt: skip
        asked = f"Where is {name}?" if place % 2 else f"Move {name} into the archive."
        system = Message(role="system", content="You have a file store.")
        found.append(
            Sample(
                id=f"workspace_{place}", category="attacked" if place % 3 == 0 else "plain",
                messages=(system, Message(role="user", content=asked)),
                tools=(_FIND,) if place % 2 else (_FIND, _MOVE), target=target, scorer="agent",
            )
        )  # fmt: skip
    return found


def _step(random: Random, turn: int, call: ToolCall | None, said: str = "", back: str = "", **notes: object) -> Step:
    disturbed: Disturbance | None = "timeout" if notes.get("disturbed") else None
    error = bool(notes.get("error") or disturbed)
    result = None
    if call is not None:
        took = round(random.uniform(2, 60) * 1e6)
        result = ToolResult(call=call, content=back, error=error, disturbed=disturbed, ran=not disturbed, took_ns=took)
    return Step(
        turn=turn, reply=Reply(content=said or None, finish_reason="stop" if call is None else "tool_calls"),
        timing=_timing(random, 24), usage=Usage(prompt_tokens=500, output_tokens=24, counted_by="server"),
        unreadable="expected a JSON list of calls" if notes.get("unreadable") else None,
        results=(result,) if result is not None else (),
    )  # fmt: skip


def agent_steps(sample: Sample, random: Random, *, done: bool, feedback: bool) -> tuple[tuple[Step, ...], int | None]:
    """The steps of one attempt, and where the checker spoke; what is not done leaves the last call out."""
    assert isinstance(sample.target, AgentTarget)
    calls = [(turn, call) for turn, each in enumerate(sample.target.plan) for call in each]
    steps = [_step(random, 0, calls[0][1], back="the file store did not answer in time", disturbed=True)]
    steps.append(_step(random, 0, None, "Let me see: find_file(name=…", unreadable=True))
    for turn, call in calls if done else calls[:-1]:
        steps.append(_step(random, turn, call, back='{"found": true, "folder": "inbox"}'))
        if turn < calls[-1][0]:
            steps.append(_step(random, turn, None, "It is in the inbox."))
    last = calls[-1][0]
    steps.append(_step(random, last, None, "Done." if done else "I could not move it."))
    if done or not feedback:
        return tuple(steps), None
    place = len(steps)
    steps += [_step(random, last, calls[-1][1], back="no such folder: archive", error=True)]
    steps += [_step(random, last, None, "The folder is missing.")]
    return tuple(steps), place


def agent_run(model: str = "smollm2", skill: float = 0.5, protocol: Protocol = "native", trials: int = 3) -> RunView:
    """Tasks with disturbances, feedback and attacks, several trials."""

    def make(sample: Sample, trial: int, random: Random) -> Made:
        done = random.random() < skill
        steps, feedback_at = agent_steps(sample, random, done=done, feedback=True)
        end = sum((step.timing.end_ns or 0) + sum(one.took_ns for one in step.results) for step in steps)
        attempt = Attempt(
            sample=sample.id, model=model, protocol=protocol, trial=trial, backend="llamacpp", reply=steps[-1].reply,
            timing=Timing(at=1_772_600_000.0, end_ns=end), steps=steps, ended="answered", feedback_at=feedback_at,
            usage=Usage(prompt_tokens=500 * len(steps), output_tokens=24 * len(steps), counted_by="server"),
        )  # fmt: skip
        learned = 0.0 if done else float(random.random() < 0.3)
        attacked = sample.category == "attacked"
        parts = {
            "plan_coverage": 1.0 if done else 0.5, "plan_order": 0.67, "plan_length": 0.67,
            "recovered": float(done), "retried": 1.0, "done_after_feedback": max(float(done), learned),
            "utility_under_attack" if attacked else "utility": float(done),
        } | ({} if done else {"learned": learned})  # fmt: skip
        if attacked:
            parts["attack_success"] = float(random.random() < 0.4)
        miss: MissClass | None = None if done else random.choice(("wrong_result", "step_limit", "task_refused"))
        why = "" if done else "the archive is not as it should be"
        score = _score(sample, trial, float(done), miss, why).model_copy(update={"parts": parts})
        return attempt, score

    return view("agentdojo", agent_samples(), make, model, protocol, trials=trials)


def unfit_run() -> RunView:
    """A tool-calling run whose template dropped the tools."""
    run = made_run("qwen25_05b", _MODELS["qwen25_05b"], "native", skill=0.2, started_at="2026-03-02T11:00:00Z")
    why = "the chat template drops the tools: the model never saw them"
    return RunView.of(
        run.manifest, run.summary.model_copy(update={"unfit": why}), run.samples, run.attempts, run.scores
    )


def rechecked_runs() -> list[RunView]:
    """A prompted run, some of whose misses JSON repair mends, and the re-run of all of them under a grammar."""
    first = made_run(protocol="prompted", skill=0.07, base_s=0.42, started_at="2026-03-02T10:15:00Z")
    missed = {score.sample for score in first.scores if score.value == 0}
    wanted = [one for one in first.samples if one.id in missed and one.wants_call]
    again = made_run(protocol="constrained", skill=0.46, base_s=0.47, started_at="2026-03-02T10:50:00Z")
    ids = {one.id for one in wanted}
    scores = [score for score in again.scores if score.sample in ids]
    attempts = [attempt for attempt in again.attempts if attempt.sample in ids]
    values = [score.value for score in scores if score.value is not None]
    back = sum(values)
    run = f"{again.id}_recheck"
    grammar = GrammarSummary(
        run=run, n_samples=len(wanted), points_back=back, ttft_s=0.061, tpot_s=0.0007, e2e_s=-0.2
    )  # fmt: skip
    lost = first.summary.n_scored * (1 - (first.summary.accuracy or 0.0))
    update = {
        "grammar": grammar,
        "format": {"points_lost": lost, "points_repaired": 6.0, "n_repaired": 6, "points_lucky": 1.0},
    }
    parent = type(first.summary).model_validate(first.summary.model_dump() | update)
    part = {
        "run": run, "of_run": first.id, "suite_hash": "77" * 32, "n_planned": len(wanted), "n_scored": len(values),
        "n_samples": len(wanted), "n_failed": len(wanted) - len(values), "accuracy": back / len(values),
        "misses": {}, "by_category": {}, "decisions": None,
    }  # fmt: skip
    rerun = RunView.of(
        again.manifest.model_copy(update={"run": run, "of_run": first.id}),
        again.summary.model_copy(update=part), wanted, attempts, scores,
    )  # fmt: skip
    return [RunView.of(first.manifest, parent, first.samples, first.attempts, first.scores), rerun]


def every_family() -> list[RunView]:
    """A page with a suite of every kind, re-runs and an unfit run among them."""
    two = (("smollm2", 0.0), ("gemma3_270m", 0.2))
    gemma = ("gemma3_270m", _MODELS["gemma3_270m"])
    calls = [
        *rechecked_runs(),
        made_run(protocol="constrained", skill=0.46, base_s=0.47, started_at="2026-03-02T10:17:00Z"),
        made_run(*gemma, "constrained", quantization="Q4_K_M", skill=0.3, base_s=0.78,
                 started_at="2026-03-02T10:22:00Z"),
        unfit_run(),
    ]  # fmt: skip
    others = [
        made
        for model, more in two
        for made in (
            instruct_run(model, 0.35 + more),
            code_run(model, 0.3 + more),
            answer_run(model, 0.4 + more),
            agent_run(model, 0.35 + more),
            lm_eval_run(model, 0.2 + more),
        )
    ]
    return [*calls, *others, choice_run()]
