"""lm-eval tasks with their data in a folder: one of each kind that matters, small enough to read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from harness.config import SuiteConfig
from harness.records import Sample
from harness.suite.lm_eval import LmEval
from harness.suite.spec import SuiteContext, read_spec

__all__ = ["CAPITALS", "NAMES", "context", "samples", "write_tasks"]

NAMES = ("mini_math", "mini_rules", "mini_vote", "mini_bleu", "mini_letters", "mini_capitals", "mini_last_word")
CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin", "Japan": "Tokyo", "Egypt": "Cairo",
    "Cuba": "Havana", "Peru": "Lima", "Greece": "Athens", "Norway": "Oslo", "Austria": "Vienna", "Poland": "Warsaw",
}  # fmt: skip

_MATCH = """
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    regexes_to_ignore: [",", "(?s).*#### "]
"""
_TASKS = {
    "mini_math": """
output_type: generate_until
training_split: train
fewshot_split: train
test_split: test
description: "Solve the problems.\\n\\n"
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["Question:", "</s>"], do_sample: false, temperature: 0.0, max_gen_toks: 64}
num_fewshot: 3
filter_list:
  - name: strict-match
    filter: [{function: regex, regex_pattern: "#### (-?[0-9.,]+)"}, {function: take_first}]
  - name: flexible-extract
    filter:
      - {function: regex, group_select: -1, regex_pattern: "(-?[0-9.,]{2,})|(-?[0-9]+)"}
      - {function: take_first}
"""
    + _MATCH,
    "mini_vote": """
output_type: generate_until
test_split: test
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["Question:"], do_sample: true, temperature: 0.7}
repeats: 3
filter_list:
  - {name: first, filter: [{function: regex, regex_pattern: "(-?[0-9]+)$"}, {function: take_first}]}
  - name: maj@3
    filter:
      - {function: regex, regex_pattern: "(-?[0-9]+)$"}
      - {function: take_first_k, k: 3}
      - {function: majority_vote}
      - {function: take_first}
"""
    + _MATCH,
    "mini_rules": """
output_type: generate_until
test_split: test
doc_to_text: question
doc_to_target: 0
generation_kwargs: {until: [], temperature: 0.0}
process_results: !function mini_rules.process_results
metric_list:
  - {metric: all_rules, aggregation: mean, higher_is_better: true}
  - {metric: each_rule, aggregation: !function mini_rules.share, higher_is_better: true}
""",
    "mini_bleu": """
output_type: generate_until
test_split: test
doc_to_text: "Work it out. {{question}}"
doc_to_target: answer
generation_kwargs: {until: ["\\n\\n"]}
metric_list:
  - {metric: bleu, aggregation: bleu, higher_is_better: true}
""",
    "mini_letters": """
output_type: multiple_choice
fewshot_split: dev
test_split: test
fewshot_config: {sampler: first_n}
num_fewshot: 2
doc_to_text: "{{question}}\\nA. {{choices[0]}}\\nB. {{choices[1]}}\\nC. {{choices[2]}}\\nAnswer:"
doc_to_choice: ["A", "B", "C"]
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
""",
    "mini_capitals": """
output_type: multiple_choice
test_split: test
doc_to_text: "The capital of {{country}} is"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
""",
    "mini_last_word": """
output_type: loglikelihood
test_split: test
doc_to_text: "The capital of {{country}} is"
doc_to_target: " {{choices[answer]}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
  - {metric: acc, aggregation: mean, higher_is_better: true}
""",
}
_RULES = """
def process_results(doc, results):
    text = results[0]
    held = [text.strip() != "", text == text.lower(), len(text) < 40]
    return {"all_rules": all(held), "each_rule": held}


def share(items):
    flat = [one for held in items for one in held]
    return sum(flat) / len(flat)
"""
_GROUP = """
group: minis
task: [mini_letters, mini_capitals]
aggregate_metric_list:
  - {metric: acc, aggregation: mean, weight_by_size: true}
metadata: {version: 2}
"""


def write_tasks(folder: Path) -> Path:
    """The folder, filled with task files and their data."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = Random(1)
    sums = [_sum(rng.randint(2, 40), rng.randint(2, 40)) for _ in range(16)]
    capitals = [_capital(country, rng) for country in CAPITALS]
    sums_files = _lines(folder, "sums_train", sums[:6]), _lines(folder, "sums_test", sums[6:])
    capital_files = _lines(folder, "capitals_dev", capitals[:3]), _lines(folder, "capitals_test", capitals[3:])
    for name, text in _TASKS.items():
        train, test = (
            sums_files if ("question}}" in text and "choices" not in text) or "question\n" in text else capital_files
        )
        splits = {"train": str(train), "dev": str(train), "test": str(test)}
        used = {split: path for split, path in splits.items() if f"split: {split}\n" in text}
        kwargs = json.dumps({"data_files": used, "cache_dir": str(folder / "cache")})
        head = f"task: {name}\ndataset_path: json\ndataset_kwargs: {kwargs}\n"
        (folder / f"{name}.yaml").write_text(f"{head}{text}metadata: {{version: 1.0}}\n")
    (folder / "mini_rules.py").write_text(_RULES)
    (folder / "minis.yaml").write_text(_GROUP)
    return folder


def context(folder: Path, tasks: Sequence[str], limit: int | None = None, **options: Any) -> SuiteContext:
    """What a loader is handed for these tasks."""
    config = SuiteConfig(name="lm_eval", tasks=tuple(tasks), limit=limit, options=options)
    told: Mapping[str, Any] = {"include_path": str(folder), "tasks": list(tasks), **options}
    return SuiteContext(None, folder, read_spec("lm_eval"), config, told)


def samples(folder: Path, *tasks: str, limit: int | None = None, **options: Any) -> list[Sample]:
    """The samples of these tasks."""
    return list(LmEval.from_context(context(folder, tasks, limit, **options)).samples())


def _sum(left: int, right: int) -> dict[str, object]:
    said = f"That is {left} + {right} = {left + right}.\n#### {left + right}"
    return {"question": f"Tom has {left} apples and buys {right}. How many has he?", "answer": said}


def _capital(country: str, rng: Random) -> dict[str, object]:
    others = [name for name in CAPITALS.values() if name != CAPITALS[country]]
    choices = [CAPITALS[country], *rng.sample(others, 2)]
    rng.shuffle(choices)
    question = f"What is the capital of {country}?"
    return {"country": country, "question": question, "choices": choices, "answer": choices.index(CAPITALS[country])}


def _lines(folder: Path, name: str, rows: Sequence[Mapping[str, object]]) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
