"""A data set from samples to files: what is taken, what is refused, what is known of it."""

import json
from pathlib import Path

import pytest

from harness.config.convert import ConvertData
from harness.convert.data import prepare
from harness.convert.data.files import read_rows
from harness.errors import ConfigError, DataError
from harness.records import Message, ReplayReference, ReplayTarget, Sample
from harness.records.convert import DatasetManifest
from tests.support.convert_samples import REFUND, asked, setup, shop, silent


def told(folder: Path) -> DatasetManifest:
    return DatasetManifest.model_validate_json((folder / "dataset.json").read_bytes())


def test_rows_are_of_train_and_calibration_alone(tmp_path: Path) -> None:
    manifest = prepare(ConvertData(), shop(12, 4, 3), setup(), tmp_path)

    train, validation = read_rows(tmp_path / "train.jsonl"), read_rows(tmp_path / "validation.jsonl")
    assert {one.sample.split("-")[0] for one in train} == {"train"}
    assert {one.sample.split("-")[0] for one in validation} == {"calibration"}
    assert (manifest.n_train, manifest.n_validation, manifest.n_test) == (12, 3, 4)
    assert manifest.validation_from == "calibration"


def test_without_a_calibration_split_whole_sessions_of_train_are_set_aside(tmp_path: Path) -> None:
    samples = [asked(n, session=f"s{n // 3}") for n in range(30)] + [asked(200, "test")]

    manifest = prepare(ConvertData(validation=9), samples, setup(), tmp_path)

    sessions = [{one.session for one in read_rows(tmp_path / name)} for name in ("train.jsonl", "validation.jsonl")]
    assert sessions[0].isdisjoint(sessions[1])
    assert manifest.validation_from == "train"
    assert 0 < manifest.n_validation <= 6  # a fifth of train at most


def test_the_manifest_counts_what_the_files_hold(tmp_path: Path) -> None:
    manifest = prepare(ConvertData(), [*shop(12, 4, 3), *map(silent, range(4))], setup(), tmp_path)

    rows = read_rows(tmp_path / "train.jsonl")
    assert manifest == told(tmp_path)
    assert (manifest.n_call, manifest.n_no_call) == (12, 4)
    assert [(one.name, one.train, one.validation) for one in manifest.sources] == [("human", 16, 3)]
    assert manifest.tokens == sum((one.prompt_tokens or 0) + (one.reply_tokens or 0) for one in rows)
    assert manifest.reply_tokens == sum(one.reply_tokens or 0 for one in rows)
    assert manifest.lengths is not None
    assert manifest.lengths.n == 16
    assert set(manifest.contamination.values()) == {0}


def test_the_same_command_makes_nothing_twice_and_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    prepare(ConvertData(), shop(), setup(), first)
    made = (first / "train.jsonl").stat().st_mtime_ns

    prepare(ConvertData(), shop(), setup(), first)
    prepare(ConvertData(), shop()[::-1], setup(), second)

    assert (first / "train.jsonl").stat().st_mtime_ns == made
    assert (first / "train.jsonl").read_bytes() == (second / "train.jsonl").read_bytes()


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    prepare(ConvertData(), shop(), setup(), tmp_path)
    whole = (tmp_path / "train.jsonl").read_bytes()
    (tmp_path / "train.jsonl").write_bytes(whole[:-20])

    prepare(ConvertData(), shop(), setup(), tmp_path)

    assert (tmp_path / "train.jsonl").read_bytes() == whole


def test_another_seed_is_another_order_and_key(tmp_path: Path) -> None:
    one = prepare(ConvertData(), shop(), setup(), tmp_path / "a")
    other = prepare(ConvertData(seed=7), shop(), setup(), tmp_path / "b")

    assert one.key != other.key
    orders = [[row.sample for row in read_rows(tmp_path / name / "train.jsonl")] for name in "ab"]
    assert orders[0] != orders[1]


def test_a_planted_contamination_stops_and_leaves_no_rows(tmp_path: Path) -> None:
    planted = asked(999).model_copy(update={"messages": asked(200, "test").messages})

    with pytest.raises(DataError, match="train-999 and test-200: the same question"):
        prepare(ConvertData(), [*shop(), planted], setup(), tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_contaminated_validation_row_stops_too(tmp_path: Path) -> None:
    planted = asked(999, "calibration").model_copy(update={"messages": asked(200, "test").messages})

    with pytest.raises(DataError, match="calibration-999 and test-200"):
        prepare(ConvertData(), [*shop(), planted], setup(), tmp_path)


def test_the_gate_of_other_clusters_counts(tmp_path: Path) -> None:
    other = asked(300, "test", category="orders")
    planted = asked(999).model_copy(update={"messages": other.messages})

    with pytest.raises(DataError, match="test-300"):
        prepare(ConvertData(), [*shop(), other, planted], setup(cluster=("refunds",)), tmp_path)


@pytest.mark.parametrize("asked_for", ["c17", "Money Back", "money-back", "money_back"])
def test_a_cluster_goes_by_id_or_label(asked_for: str, tmp_path: Path) -> None:
    samples = [*shop(6), *(asked(50 + n, category="c17") for n in range(3))]

    manifest = prepare(
        ConvertData(validation=0), samples, setup(cluster=(asked_for,), names={"c17": "Money back"}), tmp_path
    )

    assert (manifest.clusters, manifest.n_train) == (("c17",), 3)


def test_an_unknown_cluster_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cluster=refund is none of this suite: refunds; did you mean refunds"):
        prepare(ConvertData(), shop(), setup(cluster=("refund",)), tmp_path)


def test_a_suite_without_a_train_split_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"build.splits=\[test,train,calibration\]"):
        prepare(ConvertData(), shop(0, 4), setup(), tmp_path)


def test_labels_that_are_not_wanted_make_no_rows_and_are_counted(tmp_path: Path) -> None:
    samples = [*shop(6), *(asked(50 + n, label="incumbent") for n in range(3))]

    manifest = prepare(ConvertData(labels=("human",), validation=0), samples, setup(), tmp_path)

    assert manifest.n_train == 6
    assert manifest.dropped == {"no answer by the labels human": 3}


def test_the_better_label_is_learned_where_a_sample_has_two(tmp_path: Path) -> None:
    both = ReplayTarget(
        references=(
            ReplayReference(text="No.", label="incumbent", count=9),
            ReplayReference(text="Yes, until nine.", label="human"),
        )
    )
    samples = [asked(1, target=both, id="both"), *shop(3)]

    prepare(ConvertData(validation=0, words="say"), samples, setup(), tmp_path)

    (row,) = [one for one in read_rows(tmp_path / "train.jsonl") if one.sample == "both"]
    assert (row.reply["content"], row.source) == ("Yes, until nine.", "human")


def test_incumbents_answers_are_named_as_unchecked(tmp_path: Path) -> None:
    samples = [asked(n, label="incumbent") for n in range(5)]

    manifest = prepare(ConvertData(validation=0), samples, setup(), tmp_path)

    assert any("5 train rows have the incumbent's answer, which nobody checked" in one for one in manifest.notes)


def test_rows_that_are_too_long_are_left_out_and_counted_never_cut(tmp_path: Path) -> None:
    long = asked(77, messages=(Message(role="user", content="x" * 5000),))

    manifest = prepare(ConvertData(validation=0), [*shop(5), long], setup(max_tokens=3000), tmp_path)

    assert manifest.n_train == 5
    assert manifest.dropped == {"longer than convert.training.max_tokens": 1}
    assert any(one.startswith("1 row of ") and one.endswith("max_tokens=3000") for one in manifest.notes)
    assert manifest.packing is not None
    assert manifest.packing.tokens == 3000


def test_uncounted_tokens_are_none_and_said_so(tmp_path: Path) -> None:
    manifest = prepare(ConvertData(validation=0), shop(), setup(lengths=None), tmp_path)

    assert (manifest.tokens, manifest.lengths, manifest.packing) == (None, None, None)
    assert any("nobody counted tokens" in one for one in manifest.notes)


def test_no_call_rows_of_other_clusters_must_offer_a_tool_of_this_one(tmp_path: Path) -> None:
    near = [silent(n, category="other") for n in range(4)]
    far = [silent(50 + n, category="far").model_copy(update={"tools": ()}) for n in range(4)]
    wanted = ConvertData(validation=0, no_call_share=0.2)

    manifest = prepare(wanted, [*shop(8), *near, *far], setup(cluster=("refunds",)), tmp_path)

    assert (manifest.n_call, manifest.n_no_call, manifest.no_call_added) == (8, 2, 2)
    assert {one.cluster for one in read_rows(tmp_path / "train.jsonl")} == {"refunds", "other"}


def test_a_share_that_is_out_of_reach_is_said(tmp_path: Path) -> None:
    manifest = prepare(ConvertData(validation=0, no_call_share=0.5), shop(8), setup(), tmp_path)

    assert any("50.0% were asked for" in one for one in manifest.notes)


@pytest.mark.parametrize(
    ("built", "said"),
    [
        ({}, "does not say how they were redacted"),
        ({"calls": "x"}, "build it anew"),
        ({"calls": "x", "redaction": {"policy": "off"}}, "raw calls"),
    ],
)
def test_raw_calls_are_refused(built: dict[str, object], said: str, tmp_path: Path) -> None:
    spec = setup().spec.model_copy(update={"built": built})

    with pytest.raises(DataError, match=said):
        prepare(ConvertData(), shop(), setup(spec=spec), tmp_path)


def test_the_redaction_policy_is_in_the_manifest_with_its_hash(tmp_path: Path) -> None:
    manifest = prepare(ConvertData(), shop(), setup(), tmp_path)

    assert manifest.redaction == {"policy": "rules", "version": 1}
    assert len(manifest.redaction_sha256 or "") == 64
    assert manifest.logs == ("records_hash:abc",)


def test_what_the_gate_shares_with_the_rows_is_told_and_stops_nothing(tmp_path: Path) -> None:
    new_tool = asked(200, "test", tools=(REFUND,))
    same_order = asked(1).target

    manifest = prepare(
        ConvertData(validation=0),
        [*shop(8, 0), new_tool, asked(205, "test", target=same_order)],
        setup(),
        tmp_path,
    )

    overlap = manifest.overlap
    assert overlap is not None
    assert (overlap.n, overlap.all_values_seen, overlap.unseen_tools) == (2, 1, ())
    assert 0 < overlap.values_seen < overlap.values


def test_a_sample_of_whole_sessions_says_what_to_build(tmp_path: Path) -> None:
    from harness.records import AgentTarget

    task = Sample(
        id="1", category="a", messages=(Message(role="user", content="x"),), split="train", scorer="agent",
        target=AgentTarget(environment="toy"),
    )  # fmt: skip

    with pytest.raises(DataError, match="a whole task in steps"):
        prepare(ConvertData(), [task], setup(), tmp_path)


def test_files_are_nobody_elses(tmp_path: Path) -> None:
    prepare(ConvertData(), shop(), setup(), tmp_path / "data")

    assert (tmp_path / "data" / "train.jsonl").stat().st_mode & 0o077 == 0


def test_exports_may_come_later_and_change_no_row(tmp_path: Path) -> None:
    first = prepare(ConvertData(), shop(), setup(), tmp_path)

    later = prepare(ConvertData(exports=("openai",)), shop(), setup(), tmp_path)

    assert later.key == first.key
    assert later.exports == ("openai",)
    lines = (tmp_path / "export" / "openai" / "train.jsonl").read_text().splitlines()
    assert len(lines) == first.n_train
    assert json.loads(lines[0])["messages"][-1]["role"] == "assistant"
