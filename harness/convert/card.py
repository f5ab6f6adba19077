"""The model card: what the ledger says, in Markdown that people and hubs read."""

from harness.config import ModelConfig
from harness.convert.words import cost, delta_words, distilled, gate_rows, general_words, minutes, percent_or_dash
from harness.records.convert import ChainLink, Ledger
from harness.report.formats import counted, memory, parameters

__all__ = ["model_card"]


def model_card(ledger: Ledger) -> str:
    """MODEL_CARD.md of a conversion."""
    base = ModelConfig.model_validate(ledger.config["model"])
    parts = [
        _front(ledger, base),
        f"# {ledger.name}\n",
        _what(ledger, base),
        _verdict(ledger),
        _table(ledger),
        _data(ledger),
        _training(ledger),
        _export(ledger),
        _limits(ledger),
        _chain(ledger),
    ]
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _front(ledger: Ledger, base: ModelConfig) -> str:
    """The block that model hubs read."""
    lines = ["---", f"license: {base.licence.lower() if base.licence else 'other'}"]
    if base.languages:
        lines.append(f"language: [{', '.join(base.languages)}]")
    lines += [f"base_model: {base.name}", "library_name: gguf", f"tags: [{ledger.method}, tool-calling]", "---", ""]
    return "\n".join(lines)


def _what(ledger: Ledger, base: ModelConfig) -> str:
    task = f"`{ledger.cluster}` of the suite `{ledger.suite}`" if ledger.cluster else f"the suite `{ledger.suite}`"
    promoted = ledger.promoted
    state = f"Promoted on {promoted.at[:10]} by {promoted.by}." if promoted else "Not promoted."
    served = ledger.export.file(ledger.export.chosen)
    file = f"`{served.file.path}`, {memory(served.file.bytes)}, SHA-256 `{served.file.sha256}`" if served else "–"
    return (
        f"{base.title}, fine-tuned ({ledger.method}) on {task}. {state}\n\n"
        f"- File: {file}\n"
        f"- Run it: `python -m harness suite={ledger.suite} model={ledger.name}`\n"
        f"- Check this card against the files: `python -m harness do=convert convert.verify=FOLDER`\n"
        f"- Made on {ledger.made_at[:10]} with `{ledger.command}`\n"
    )


def _verdict(ledger: Ledger) -> str:
    gate = ledger.gate
    if gate is None:
        return "## Verdict\n\nNone: the gate was not asked. This model must not be promoted.\n"
    lines = [f"## Verdict: {gate.verdict}\n", f"{gate.why}.\n"]
    if gate.enough_why:
        lines.append(f"{gate.enough_why[0].upper()}{gate.enough_why[1:]}.\n")
    if gate.checkpoint is not None:
        found = gate.checkpoint
        said = f"{100 * found.difference:+.1f} points, {found.lost} lost and {found.gained} gained of {found.n}"
        lines.append(f"Quantized beside the checkpoint in transformers: {said.replace('-', '−')}.\n")
    return "\n".join(lines)


def _table(ledger: Ledger) -> str:
    gate = ledger.gate
    if gate is None:
        return ""
    head, *rows = gate_rows(gate)
    lines = [
        f"## Before and after\n\n{counted(gate.n_samples, 'sample')} of the split {gate.split}, none of it a row. "
        f"{'All rows were asked in turn.' if gate.together else 'The rows were asked one after the other.'} "
        f"Hardware: {ledger.machine.cpu}, {counted(ledger.machine.cores, 'core')}.\n",
        "| " + " | ".join(head) + " |",
        "| --- |" + " ---: |" * (len(head) - 1),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
    ]
    lines += ["", *(f"- {one}" for one in general_words(gate))]
    lines += [f"- {note}" for note in gate.notes]
    return "\n".join(lines) + "\n"


def _data(ledger: Ledger) -> str:
    data = ledger.dataset
    sources = ", ".join(f"{one.name} {one.train:,}" for one in data.sources) or "–"
    lines = [
        "## Rows\n",
        f"- {data.n_train:,} to learn from ({data.n_call:,} want a call, {data.n_no_call:,} want none), "
        f"{data.n_validation:,} to stop by; prompts as `{data.protocol}`",
        f"- Answers: {sources}",
        f"- Contamination: {sum(data.contamination.values())} of {data.n_test:,} samples of the gate "
        f"({', '.join(f'{kind} {count}' for kind, count in data.contamination.items()) or 'nothing compared'})",
    ]
    if data.dropped:
        lines.append("- Left out: " + ", ".join(f"{reason} {count:,}" for reason, count in data.dropped.items()))
    if ledger.redaction_sha256 is not None:
        lines.append(f"- Redaction policy: SHA-256 `{ledger.redaction_sha256}`")
    if (weighed := data.logits) is not None:
        lines.append(
            f"- Weighed by {weighed.teacher} in {minutes(weighed.seconds)}: its {weighed.top_k} likeliest tokens at "
            f"each of {weighed.tokens:,} places of the replies, {percent_or_dash(weighed.mass)} of their probability"
        )
    if data.teacher is not None and data.teacher_calls:
        lines.append(f"- Teacher: {data.teacher}, {counted(data.teacher_calls, 'call')}, {cost(data.teacher_usd)}")
    return "\n".join([*lines, *(f"- {note}" for note in data.notes)]) + "\n"


def _training(ledger: Ledger) -> str:
    found, plan = ledger.training, ledger.training.plan
    shape = (
        f"rank {plan.rank}, alpha {plan.alpha:g}" if plan.rank is not None and plan.alpha is not None else "all weights"
    )
    lines = [
        "## Training\n",
        f"- {ledger.method}, {shape}; learning rate {plan.learning_rate:g}, {plan.epochs:g} epochs, batches of "
        f"{plan.batch * plan.accumulate}, {plan.dtype} on {plan.device}, seed {plan.seed}{distilled(plan)}",
        f"- {found.steps:,} steps in {minutes(found.seconds)}, {found.status.replace('_', ' ')}"
        + (f", the checkpoint of step {found.best_step:,} kept" if found.best_step is not None else "")
        + (f" ({found.metric} {percent_or_dash(found.best_metric)})" if found.best_metric is not None else ""),
        f"- Hours {ledger.hours:.2f}, {cost(ledger.usd)}",
    ]
    if found.trainable and found.parameters:
        lines.append(f"- {parameters(found.trainable)} of {parameters(found.parameters)} parameters trained")
    if (paid := ledger.payback) is not None:
        calls = f"{paid.calls:,.0f} calls beside {paid.against}" if paid.calls is not None else paid.why
        lines.append(f"- Paid back after: {calls}")
    return "\n".join(lines) + "\n"


def _export(ledger: Ledger) -> str:
    lines = ["## Lineage\n", *(f"{place}. {said}" for place, said in enumerate(ledger.export.lineage, 1))]
    reports = [one.delta for one in ledger.export.files if one.delta is not None]
    lines += [""] if reports else []
    lines += [f"- {delta_words(one)}" for one in reports]
    return "\n".join(lines) + "\n"


def _limits(ledger: Ledger) -> str:
    lines = [
        "## Limits\n",
        "- It was trained and judged for this task alone. What it does elsewhere is known only as far as the general "
        "suites above say.",
        *(f"- {note}" for note in ledger.notes if note not in ledger.dataset.notes),
    ]
    return "\n".join(lines) + "\n"


def _chain(ledger: Ledger) -> str:
    return "\n".join(["## Ledger\n", *(_link(one) for one in ledger.links)]) + "\n"


def _link(link: ChainLink) -> str:
    inputs = "".join(f"\n  - {name}: `{digest}`" for name, digest in link.inputs.items() if not name.startswith("run/"))
    files = "".join(f"\n  - {one.path}: `{one.sha256}`" for one in link.files)
    return f"- **{link.step}**: {link.said}{inputs}{files}"
