"""The instruction scorer: each checker on an answer that follows and one that does not, and what is made of it."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import nltk
import pytest
from nltk.tabdata import PunktDecoder
from nltk.tag.perceptron import PerceptronTagger
from pydantic import JsonValue

from harness.assets import cache_dir, fetch
from harness.errors import ConfigError, DataError
from harness.records import Attempt, Instruction, InstructionTarget, Message, Reply, Sample, Score, Timing
from harness.runner.validate import GARBAGE
from harness.scorers import instruct_checkers
from harness.scorers.context import ScorerContext, is_late
from harness.scorers.instruct import InstructScorer, answer_of, loose_variants, verdicts
from harness.scorers.instruct_checkers import ifbench_checkers, ifeval_checkers
from harness.scorers.instruct_language import language_folder, seeded_langdetect, still_nltk
from harness.suite.spec import read_spec
from tests.support.ifbench_answers import ANSWERS
from tests.support.specimens.instruct import sample

Arguments = dict[str, JsonValue]
NO_COMMA: tuple[str, Arguments] = ("punctuation:no_comma", {})
TITLE: tuple[str, Arguments] = ("detectable_format:title", {})
ENGLISH = "the weather is nice today and we are going to the beach with our friends"
GERMAN = "das wetter ist heute schön und wir gehen mit unseren freunden an den strand"
IFEVAL: dict[str, tuple[Arguments, str, str]] = {
    "change_case:capital_word_frequency": (
        {"capital_relation": "at least", "capital_frequency": 2},
        "GO there NOW",
        "GO there now",
    ),
    "change_case:english_capital": ({}, ENGLISH.upper(), GERMAN.upper()),
    "change_case:english_lowercase": ({}, ENGLISH, ENGLISH.capitalize()),
    "combination:repeat_prompt": ({"prompt_to_repeat": "Say it."}, "say it. Fine.", "Fine. Say it."),
    "combination:two_responses": ({}, "One.\n******\nTwo.", "One.\n******\nOne."),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, "[a] and [b]", "[a] and b"),
    "detectable_content:postscript": ({"postscript_marker": "P.P.S"}, "Hi.\nP.P.S more", "Hi.\nP.S. more"),
    "detectable_format:constrained_response": ({}, "My answer is no.", "No."),
    "detectable_format:json_format": ({}, '```json\n{"a": [1]}\n```', "{a: 1}"),
    "detectable_format:multiple_sections": (
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION 1 a SECTION 2 b",
        "SECTION 1 a b",
    ),
    "detectable_format:number_bullet_lists": ({"num_bullets": 2}, "* a\n- b", "* a\n* b\n* c"),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2}, "*a* and **b**", "*a* and **"),
    "detectable_format:title": ({}, "<<Sea>>", "<< >>"),
    "keywords:existence": ({"keywords": ["sea", "salt"]}, "Salty SEA", "Salty water"),
    "keywords:forbidden_words": ({"forbidden_words": ["sea"]}, "The seal", "The Sea"),
    "keywords:frequency": ({"keyword": "sea", "relation": "less than", "frequency": 2}, "sea", "sea and sea"),
    "keywords:letter_frequency": (
        {"letter": "q", "let_relation": "at least", "let_frequency": 2},
        "Quite quick",
        "Quick",
    ),
    "language:response_language": ({"language": "de"}, GERMAN, ENGLISH),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        "So.\n\nThen, so.",
        "Then.\n\nSo.",
    ),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2}, "a\n***\nb", "a\n\nb"),
    "length_constraints:number_sentences": (
        {"relation": "less than", "num_sentences": 3},
        "Mr. Fox met Dr. Dog. They ran.",
        "They met. They ran. They sat.",
    ),
    "length_constraints:number_words": ({"relation": "at least", "num_words": 3}, "one two three", "one two"),
    "punctuation:no_comma": ({}, "a b", "a, b"),
    "startend:end_checker": ({"end_phrase": "Bye now."}, 'So. "bye now."', "Bye now. So."),
    "startend:quotation": ({}, '"So."', '"So".'),
}


def judged(one: Sample, reply: Reply, scorer: InstructScorer | None = None) -> Score:
    attempt = Attempt(
        sample=one.id, model="m", protocol="native", backend="b", trial=2, reply=reply, timing=Timing(at=0.0)
    )

    async def late() -> Score:
        async with (scorer or InstructScorer()).open() as score:
            return await score(one, attempt)

    return asyncio.run(late())


def follows(identity: str, arguments: Arguments, text: str) -> bool:
    return ifeval_checkers().check(Instruction(id=identity, arguments=arguments)).follows(text)


@pytest.fixture(scope="session")
def ifbench_folder() -> Path:
    data = read_spec("ifbench").data
    assert data is not None
    return fetch(data, cache=cache_dir()).path


@pytest.fixture(scope="session")
def tagger_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger that knows two words, in the files of NLTK's own."""
    tagger = PerceptronTagger(load=False)
    tagger.train([[("Run", "VB"), ("home", "NN")], [("Hills", "NNS"), ("are", "VBP"), ("high", "JJ")]] * 20)
    folder = tmp_path_factory.mktemp("tagger")
    written = {"weights": tagger.model.weights, "tagdict": tagger.tagdict, "classes": sorted(tagger.classes)}
    for name, value in written.items():
        (folder / f"averaged_perceptron_tagger_eng.{name}.json").write_text(json.dumps(value))
    return folder


def test_every_kind_of_ifeval_has_an_answer_that_follows_and_one_that_does_not() -> None:
    lost = {
        identity: (follows(identity, arguments, right), follows(identity, arguments, wrong))
        for identity, (arguments, right, wrong) in IFEVAL.items()
    }

    assert set(lost) == set(ifeval_checkers().kinds)
    assert {identity: found for identity, found in lost.items() if found != (True, False)} == {}


def test_every_kind_of_ifbench_has_an_answer_that_follows_and_one_that_does_not(
    ifbench_folder: Path, tagger_folder: Path
) -> None:
    library = ifbench_checkers(ifbench_folder, tagger_folder)
    found = {}
    for identity, (arguments, right, wrong) in ANSWERS.items():
        checked = library.check(Instruction(id=identity, arguments=arguments))
        found[identity] = (checked.follows(right), checked.follows(wrong))

    assert set(found) == set(library.kinds)
    assert {identity: pair for identity, pair in found.items() if pair != (True, False)} == {}


def test_garbage_escapes_from_no_checker(ifbench_folder: Path, tagger_folder: Path) -> None:
    ifeval = [Instruction(id=identity, arguments=arguments) for identity, (arguments, _, _) in IFEVAL.items()]
    ifbench = [Instruction(id=identity, arguments=one.arguments) for identity, one in ANSWERS.items()]
    checks = [ifeval_checkers().check(one) for one in ifeval]
    checks += [ifbench_checkers(ifbench_folder, tagger_folder).check(one) for one in ifbench]
    texts = [answer_of(one)[:20_000] for one in GARBAGE] + ["\n" * 3_000, "***", "?!", '"', "\ud800", "[" * 3_000, "…"]

    for text in texts:
        assert len(verdicts(checks, text).strict) == 25 + 58


def test_sentences_are_split_with_the_parameters_that_nltk_itself_reads() -> None:
    folder = language_folder() / "tokenizers/punkt_tab/english"
    decoder = PunktDecoder()
    ours = still_nltk(language_folder()).data.load("english").tokenize.__self__._params

    with (folder / "abbrev_types.txt").open() as file:
        assert ours.abbrev_types == decoder.txt2set(file)
    with (folder / "sent_starters.txt").open() as file:
        assert ours.sent_starters == decoder.txt2set(file)
    with (folder / "collocations.tab").open() as file:
        assert ours.collocations == set(decoder.tab2tups(file))
    with (folder / "ortho_context.tab").open() as file:
        assert ours.ortho_context == decoder.tab2intdict(file)


def test_the_checkers_come_up_and_judge_without_a_download_or_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        pytest.fail("the network was asked")

    language_folder()
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(nltk, "download", refuse)
    monkeypatch.setattr(nltk.data, "find", refuse)
    ifeval_checkers.cache_clear()

    kept = [follows(identity, arguments, right) for identity, (arguments, right, _) in IFEVAL.items()]

    assert all(kept)
    assert follows("language:response_language", {"language": "de"}, "12345")  # no language to be told
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_a_text_whose_language_is_a_matter_of_chance_gets_the_same_one_each_time() -> None:
    detect = seeded_langdetect().detect.__wrapped__  # without its memory of texts seen

    found = {detect("Hello") for _ in range(30)}

    assert found == {"fi"}  # unseeded, one in five is Norwegian


def test_a_sign_that_is_no_letter_is_counted_as_it_is() -> None:
    arguments: Arguments = {"letter": "#", "let_relation": "at least", "let_frequency": 4}

    assert follows("keywords:letter_frequency", arguments, "#### aaaa")
    assert not follows("keywords:letter_frequency", arguments, "### aaaa")


def test_json_nested_too_deep_to_read_is_not_json() -> None:
    assert not follows("detectable_format:json_format", {}, "[" * 100_000)


@pytest.mark.parametrize(
    ("identity", "arguments", "said"),
    [
        ("length_constraints:number_word", {}, "did you mean length_constraints:number_words"),
        ("length_constraints:number_words", {"relation": "at least"}, "lacks an argument, given: relation"),
        ("length_constraints:number_words", {"num_words": 3, "relation": "about"}, "does not take these arguments"),
        ("punctuation:no_comma", {"commas": 3}, "does not take these arguments"),
    ],
)
def test_an_instruction_that_makes_no_sense_is_refused(identity: str, arguments: Arguments, said: str) -> None:
    with pytest.raises(DataError, match=said):
        ifeval_checkers().check(Instruction(id=identity, arguments=arguments))


def test_it_judges_after_the_last_reply() -> None:
    assert is_late(InstructScorer())


def test_loose_variants_leave_out_first_and_last_lines_and_asterisks() -> None:
    assert loose_variants("Sure:\n*a*\nBye") == (
        "Sure:\n*a*\nBye",
        "*a*\nBye",
        "Sure:\n*a*",
        "*a*",
        "Sure:\na\nBye",
        "a\nBye",
        "Sure:\na",
        "a",
    )


def test_a_wrong_first_line_is_forgiven_loosely_only() -> None:
    score = judged(sample(NO_COMMA), Reply(content="Sure, here it is:\nNo comma."))

    assert (score.value, score.miss, score.boundary) == (0.0, "instruction_missed", "model")
    assert score.parts == {"prompt_strict": 0.0, "prompt_loose": 1.0}
    assert score.counts == {
        "instruction_strict": (0, 1),
        "instruction_loose": (1, 1),
        "strict:punctuation:no_comma": (0, 1),
    }
    assert score.extracted == {"strict": [False], "loose": [True]}


def test_a_prompt_is_followed_if_every_instruction_is() -> None:
    both = sample(NO_COMMA, TITLE)

    kept, half = judged(both, Reply(content="<<Sea>> is blue")), judged(both, Reply(content="No title"))

    assert (kept.value, kept.miss, kept.why, kept.trial) == (1.0, None, "", 2)
    assert half.value == 0.0
    assert half.counts["instruction_strict"] == (1, 2)
    assert half.why.startswith("not followed, 1 of 2: Your answer must contain a title")


def test_two_instructions_of_one_kind_are_counted_together() -> None:
    kind = "length_constraints:number_sentences"
    between = sample(
        (kind, {"relation": "at least", "num_sentences": 2}), (kind, {"relation": "less than", "num_sentences": 4})
    )

    score = judged(between, Reply(content="One."))

    assert score.counts[f"strict:{kind}"] == (1, 2)
    assert "at least 2 sentences" in score.why


@pytest.mark.parametrize(
    ("reply", "miss"),
    [
        (Reply(content=None), "no_answer"),
        (Reply(content=" \n"), "no_answer"),
        (Reply(content="<think>no end"), "no_answer"),
        (Reply(content="<think>no end", finish_reason="length"), "length"),
        (Reply(content="Without", finish_reason="length"), "length"),
        (Reply(content="Without"), "instruction_missed"),
    ],
)
def test_a_miss_says_whether_the_reply_was_empty_cut_off_or_wrong(reply: Reply, miss: str) -> None:
    score = judged(sample(TITLE), reply)

    assert (score.value, score.miss) == (0.0, miss)


def test_thoughts_are_no_part_of_the_answer() -> None:
    score = judged(sample(NO_COMMA), Reply(content="<think>Well, so</think>\n\nNo comma."))

    assert score.value == 1.0


def test_the_answer_keeps_its_blank_lines() -> None:
    assert answer_of(Reply(content="\n a \n")) == "\n a \n"


def test_a_reply_cut_off_after_it_followed_everything_passes() -> None:
    assert judged(sample(NO_COMMA), Reply(content="No comma", finish_reason="length")).value == 1.0


def ifbench_sample(identity: str, arguments: Arguments) -> Sample:
    target = InstructionTarget(
        checker="ifbench", prompt="p", instructions=(Instruction(id=identity, arguments=arguments),)
    )
    return Sample(id="s", category="c", messages=(Message(role="user", content="p"),), target=target, scorer="instruct")


def test_ifbench_takes_the_loose_verdict_as_its_value(ifbench_folder: Path) -> None:
    one = ifbench_sample("format:no_whitespace", {})
    scorer = InstructScorer.from_context(ScorerContext(data=ifbench_folder))

    score = judged(one, Reply(content="Here it is:\nNowhitespace"), scorer)

    assert score.value == 1.0
    assert score.parts == {"prompt_strict": 0.0, "prompt_loose": 1.0}
    assert score.counts["loose:format:no_whitespace"] == (1, 1)


def test_ifbench_without_its_folder_says_what_is_missing() -> None:
    with pytest.raises(ConfigError, match="IFBench's checkers are read from its package"):
        judged(ifbench_sample("format:no_whitespace", {}), Reply(content="x"))


def test_a_tagger_that_is_not_there_is_an_error_that_says_so(ifbench_folder: Path, tmp_path: Path) -> None:
    one = ifbench_sample("words:start_verb", {})
    without = InstructScorer.from_context(ScorerContext(data=ifbench_folder))
    empty = InstructScorer.from_context(ScorerContext(data=ifbench_folder, options={"tagger": str(tmp_path)}))

    with pytest.raises(ConfigError, match=r"suite\.options\.tagger=/path/to"):
        judged(one, Reply(content="Run home."), without)
    with pytest.raises(ConfigError, match="does not hold NLTK's averaged_perceptron_tagger_eng"):
        judged(one, Reply(content="Run home."), empty)


async def test_a_tagger_that_is_not_there_shows_before_the_run(ifbench_folder: Path) -> None:
    scorer = InstructScorer.from_context(ScorerContext(data=ifbench_folder))
    simple, tagged = ifbench_sample("format:no_whitespace", {}), ifbench_sample("words:start_verb", {})

    await scorer.ready([simple])
    with pytest.raises(ConfigError, match=r"suite\.options\.tagger=/path/to"):
        await scorer.ready([simple, tagged])


async def test_a_package_that_is_not_there_shows_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruct_checkers, "find_spec", lambda _name: None)
    ifeval_checkers.cache_clear()

    with pytest.raises(ConfigError, match="pip install 'slm-harness"):
        await InstructScorer().ready([sample(NO_COMMA)])


async def test_an_instruction_that_makes_no_sense_is_no_reason_not_to_run() -> None:
    await InstructScorer().ready([sample(("no:such", {})), sample(NO_COMMA)])


def test_a_case_made_up_for_an_instruction_is_what_it_says_it_is() -> None:
    found: dict[str, Any] = {}
    for identity, (arguments, _, _) in IFEVAL.items():
        one = sample((identity, arguments))
        for case in InstructScorer().cases(one):
            value = judged(one, case.reply).value
            found[f"{identity}: {case.why}"] = value == 1.0 if case.kind == "gold" else value == 0.0

    assert [name for name, held in found.items() if not held] == []
    assert sum("made up" in name for name in found) >= 22
