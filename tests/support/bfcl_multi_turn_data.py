"""A folder like the one that the multi-turn suite fetches, with one small class of our own in it."""

import json
from pathlib import Path
from typing import Any

__all__ = ["QUESTION", "TRUTH", "write_folder"]

_SOURCE = """
from bfcl_eval.eval_checker.multi_turn_eval.func_source_code.long_context import FILLER


class Odd:
    pass


class TicketAPI:
    def __init__(self):
        self.tickets = []
        self._calls = 0

    def _load_scenario(self, scenario, long_context=False):
        self.owner = scenario.get("owner")
        if long_context:
            self.tickets += FILLER

    def add(self, title, urgent=False):
        self._calls += 1
        self.tickets.append([title, urgent])
        return {"count": len(self.tickets)}

    def add_tags(self, tags):
        tags.append("seen")
        self.tickets.append(tags)

    def show(self, number):
        if number >= len(self.tickets):
            return {"error": "no such ticket"}
        return self.tickets[number][0]

    def odd(self):
        return {"odd": Odd}

    def break_down(self):
        raise RuntimeError("broken")
"""
QUESTION: dict[str, Any] = {
    "id": "multi_turn_base_7",
    "question": [[{"role": "user", "content": "Add a ticket."}], [], [{"role": "user", "content": "Thanks."}]],
    "initial_config": {"TicketAPI": {"owner": "ann"}},
    "involved_classes": ["TicketAPI"],
    "missed_function": {"1": ["show"]},
}
TRUTH: dict[str, Any] = {"id": "multi_turn_base_7", "ground_truth": [["add('x', urgent=True)"], ["show(number=0)"], []]}


def write_folder(
    folder: Path, question: dict[str, Any] = QUESTION, truth: dict[str, Any] = TRUTH, category: str = "multi_turn_base"
) -> Path:
    """The folder, with one entry in one category."""
    sources = folder / "eval_checker/multi_turn_eval/func_source_code"
    for inner in (sources, folder / "constants", folder / "data/possible_answer", folder / "data/multi_turn_func_doc"):
        inner.mkdir(parents=True, exist_ok=True)
    (sources / "ticket_api.py").write_text(_SOURCE)
    (sources / "long_context.py").write_text("FILLER = [['old', False]]\n")
    prompt = "DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC"
    (folder / "constants/default_prompts.py").write_text(f'import nothing_of_the_kind\n{prompt} = ("Now " "what?")\n')
    documents = [
        {"name": name, "description": name, "parameters": {"type": "dict", "properties": {}, "required": []}}
        for name in ("add", "add_tags", "show", "odd", "break_down")
    ]
    lines = "\n".join(map(json.dumps, documents))
    (folder / "data/multi_turn_func_doc/ticket_api.json").write_text(lines)
    (folder / f"data/BFCL_v4_{category}.json").write_text(json.dumps(question) + "\n")
    (folder / f"data/possible_answer/BFCL_v4_{category}.json").write_text(json.dumps(truth) + "\n")
    return folder
