"""The ledger: held against the files, every change found; promotion refused unless all of it holds."""

from pathlib import Path

import pytest

from harness.convert.card import model_card
from harness.convert.ledger import LEDGER, Steps, build_ledger, read_ledger
from harness.convert.verify import promote, promotion_checks
from harness.errors import DataError, GateFailed
from harness.records.convert import LogitsFile
from harness.records.manifest import WeightFacts
from tests.support.conversions import Conversion


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Conversion:
    """One that nobody changes."""
    return Conversion.made(tmp_path_factory.mktemp("whole"))


def bad(made: Conversion) -> list[str]:
    return [name for name, one in made.checks().items() if not one.held]


def test_a_ledger_whose_files_are_as_they_were_holds_in_every_point(whole: Conversion) -> None:
    assert bad(whole) == []


def test_the_ledger_read_from_its_file_is_the_one_that_was_written(whole: Conversion) -> None:
    assert read_ledger(whole.folder) == whole.ledger


@pytest.mark.parametrize(
    ("file", "check"),
    [
        ("results/convert/shop/export/shop-Q8_0.gguf", "files"),
        ("results/convert/shop/data/train.jsonl", "files"),
        ("results/convert/shop/train/adapter/adapter_model.safetensors", "files"),
        ("results/run/2026-03-02_10-15-01_smollm2_prompted/summary.json", "runs"),
    ],
)
def test_a_file_that_was_changed_is_found(tmp_path: Path, file: str, check: str) -> None:
    made = Conversion.made(tmp_path)
    path = tmp_path / file
    path.write_bytes(path.read_bytes() + b"x")

    found = made.checks()[check]

    assert not found.held
    assert Path(file).name in found.said


def test_a_run_whose_scores_were_changed_is_found_by_its_hash_and_by_its_verdict(tmp_path: Path) -> None:
    made = Conversion.made(tmp_path)
    row = made.ledger.gate.row("tuned_grammar") if made.ledger.gate else None
    assert row is not None
    scores = tmp_path / "results" / "run" / row.run / "scores.jsonl"
    scores.write_text(scores.read_text().replace('"value":1.0', '"value":0.0'))

    assert set(bad(made)) == {"runs", "verdicts"}


def test_a_verdict_that_was_edited_into_the_ledger_is_found(tmp_path: Path) -> None:
    made = Conversion.made(tmp_path)
    gate = made.ledger.gate
    assert gate is not None
    made.ledger = made.ledger.model_copy(update={"gate": gate.model_copy(update={"verdict": "fail"})})

    assert set(bad(made)) == {"gate", "verdicts"}


def test_samples_that_were_changed_in_the_suite_are_found(tmp_path: Path) -> None:
    made = Conversion.made(tmp_path)
    samples = tmp_path / "suites" / "shop" / "samples.jsonl"
    samples.write_text(samples.read_text().replace("How many is 2", "What is 2"))

    assert bad(made) == ["suite"]


def test_a_redaction_policy_that_was_changed_refuses_the_promotion(tmp_path: Path) -> None:
    made = Conversion.made(tmp_path)
    suite = tmp_path / "suites" / "shop" / "suite.yaml"
    suite.write_text(suite.read_text().replace("version: 1", "version: 2"))
    checks = list(made.checks().values())

    with pytest.raises(GateFailed, match="redaction: the policy was changed"):
        promote(made.folder, made.ledger, checks, "Ada", print_nothing)

    assert read_ledger(made.folder).promoted is None


def print_nothing(_checks: object) -> None:
    """Shows nothing."""


def test_contamination_refuses_the_promotion(whole: Conversion) -> None:
    dataset = whole.ledger.dataset.model_copy(update={"contamination": {"equal": 2}})
    ledger = whole.ledger.model_copy(update={"dataset": dataset})

    with pytest.raises(GateFailed, match="contamination: equal: 2"):
        promote(whole.folder, ledger, [], "Ada", print_nothing)


def test_a_missing_verdict_refuses_the_promotion(whole: Conversion) -> None:
    ledger = whole.ledger.model_copy(update={"gate": None})

    with pytest.raises(GateFailed, match="verdict: there is none"):
        promote(whole.folder, ledger, [], "Ada", print_nothing)


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_any_verdict_but_a_pass_refuses_the_promotion(whole: Conversion, verdict: str) -> None:
    gate = whole.ledger.gate
    assert gate is not None
    ledger = whole.ledger.model_copy(update={"gate": gate.model_copy(update={"verdict": verdict})})

    assert [one.name for one in promotion_checks(ledger, []) if not one.held] == ["verdict"]


def test_a_whole_conversion_is_promoted_with_who_and_what_was_looked_at(tmp_path: Path) -> None:
    made = Conversion.made(tmp_path)

    done = promote(made.folder, made.ledger, list(made.checks().values()), "Ada", print_nothing)

    assert done.promoted is not None
    assert done.promoted.by == "Ada"
    assert any(one.startswith("contamination: no row") for one in done.promoted.checks)
    assert read_ledger(made.folder) == done
    assert "Promoted on" in model_card(done)


def test_a_folder_without_a_ledger_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no ledger.json .* convert.verify=results/convert/NAME"):
        read_ledger(tmp_path)


def test_a_damaged_ledger_is_one_line(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text('{"name": 3')

    with pytest.raises(DataError, match="cannot be read"):
        read_ledger(tmp_path)


def test_the_card_has_verdict_table_lineage_and_hashes(whole: Conversion) -> None:
    card = model_card(whole.ledger)

    served = whole.ledger.export.files[0].file
    assert card.startswith("---\nlicense: apache-2.0")
    assert "| fine-tuned + grammar |" in card
    assert "dequantised from Q4_1 by transformers' GGUF loader" in card
    assert served.sha256 in card
    assert str(whole.root) not in card


def test_a_teacher_that_weighed_is_in_hours_links_card_and_lineage(tmp_path: Path) -> None:
    made = Conversion.made(tmp_path)
    weights = WeightFacts(file="big.gguf", bytes=1, sha256="7e" * 32)
    logits = LogitsFile(
        file="logits.safetensors", teacher="big", top_k=16, rows=300, tokens=9000, temperature=2.0, weights=weights,
        tokenizer_sha256="t", mass=0.95, seconds=1800.0,
    )  # fmt: skip
    (made.folder / "data" / "logits.safetensors").write_bytes(b"log probabilities")
    dataset = made.ledger.dataset.model_copy(update={"teacher": "big", "logits": logits})
    learned = {"teacher": "big", "distill_share": 0.5, "temperature": 2.0}
    plan = made.ledger.training.plan.model_copy(update=learned)
    training = made.ledger.training.model_copy(update={"plan": plan})
    steps = Steps(dataset, None, training, made.ledger.export, made.ledger.gate, None, made.ledger.suite_hash)

    ledger = build_ledger(made.config, "shop", made.folder, steps, "python -m harness do=convert")

    link = ledger.link("data")
    assert link is not None
    assert link.inputs == {"teacher big": weights.sha256}
    assert "data/logits.safetensors" in [one.path for one in link.files]
    assert ledger.hours == pytest.approx(made.ledger.hours + 0.5)
    card = model_card(ledger)
    assert "Weighed by big in 30 min: its 16 likeliest tokens at each of 9,000 places" in card
    assert "50% of the loss is the divergence from big at temperature 2" in card
