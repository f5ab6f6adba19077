"""What the checkers of instructions know of language: sentences, words, stop words, which language a text is in.

They get it through stand-ins for `nltk` and `langdetect` that know only what is needed, from files pinned here. So
nothing looks for data on the machine, nothing is downloaded while replies are judged, and the same text gets the same
language each time.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

from harness.assets import cache_dir, fetch
from harness.errors import ConfigError, extra
from harness.records.asset import PypiAsset, PypiMember

__all__ = ["LANGUAGE_DATA", "language_folder", "missing_package", "seeded_langdetect", "still_nltk"]

_ENGLISH = "tokenizers/punkt_tab/english"
_TAGGER = "averaged_perceptron_tagger_eng"

LANGUAGE_DATA = PypiAsset(
    package="llama-index-core",
    version="0.14.25",
    wheel_sha256="caa7d9c5ac9b13dc33400cf8d5e92e689b6d1e4497eb9bfa50d6f52ca2eb22a1",
    folder="llama_index/core/_static/nltk_cache",
    members=(
        PypiMember(
            member=f"{_ENGLISH}/abbrev_types.txt",
            bytes=619,
            sha256="92a3e070f43d9b4c5534758ca40ad7343b04e7e29bfe0c2eb658a39445a4f779",
        ),
        PypiMember(
            member=f"{_ENGLISH}/collocations.tab",
            bytes=594,
            sha256="8e2da1225e4dd2cc9dba261ee231ccb134859e21b46006e7f472c5ee269af0cf",
        ),
        PypiMember(
            member=f"{_ENGLISH}/ortho_context.tab",
            bytes=236303,
            sha256="4bbcca25ed3d3f06c02402abf8419b9f033b8adc06e7b482eca4e45f81a5dc4c",
        ),
        PypiMember(
            member=f"{_ENGLISH}/sent_starters.txt",
            bytes=241,
            sha256="f3f8535483e1dba487241b764945168123bca3209a9645e59acd1225dc76edac",
        ),
        PypiMember(
            member="corpora/stopwords/english",
            bytes=1048,
            sha256="f6d005956f407dbc6ea32e5ff0c7e8e6f71488d3239b9023efdc7fc139d6375b",
        ),
    ),
)
"""NLTK's own Punkt model for English and its English stop words, as a wheel carries them; nothing else is taken."""


def language_folder() -> Path:
    """The folder with the files of `LANGUAGE_DATA`, fetched if need be. Raises AssetError if they cannot be had."""
    return fetch(LANGUAGE_DATA, cache=cache_dir(), key="the checkers' language data").path


def missing_package(error: ModuleNotFoundError) -> ConfigError:
    """The error for a package that is not installed, with what to type."""
    return ConfigError(
        f"checking instructions needs the package {error.name}, which is not installed; type: {extra('suites')}"
    )


def still_nltk(folder: Path, tagger: Path | None = None) -> SimpleNamespace:
    """A stand-in for the module `nltk`, with the parts that IFEval's and IFBench's checkers use.

    folder: of `language_folder`. tagger: folder with the JSON files of NLTK's `averaged_perceptron_tagger_eng`; without
    it, tagging raises ConfigError. Raises ConfigError where NLTK is not installed.
    """
    try:
        from nltk.tokenize import NLTKWordTokenizer, RegexpTokenizer
        from nltk.util import ngrams
    except ModuleNotFoundError as error:
        raise missing_package(error) from None
    sentences = _punkt(folder / _ENGLISH)
    words = NLTKWordTokenizer()
    stop_words = (folder / "corpora/stopwords/english").read_text(encoding="utf-8").split()

    def word_tokenize(text: str) -> list[str]:
        return [word for sentence in sentences.tokenize(text) for word in words.tokenize(sentence)]

    return SimpleNamespace(
        download=_no_download,
        data=SimpleNamespace(find=_no_download, load=lambda _name: sentences),
        tokenize=SimpleNamespace(RegexpTokenizer=RegexpTokenizer),
        corpus=SimpleNamespace(stopwords=SimpleNamespace(words=lambda _language: stop_words)),
        word_tokenize=word_tokenize,
        ngrams=ngrams,
        pos_tag=_pos_tag(tagger),
    )


def _no_download(*_names: str, **_options: object) -> bool:
    return True


def _punkt(folder: Path) -> SimpleNamespace:
    """NLTK's sentence splitter with the model that lies in a folder, in the format of `punkt_tab`."""
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    def lines(name: str) -> Iterable[str]:
        return (folder / name).read_text(encoding="utf-8").splitlines()

    parameters = PunktParameters()
    parameters.abbrev_types = set(lines("abbrev_types.txt"))
    parameters.sent_starters = set(lines("sent_starters.txt"))
    parameters.collocations = {tuple(line.split("\t")) for line in lines("collocations.tab")}
    for line in lines("ortho_context.tab"):
        word, _, flags = line.partition("\t")
        parameters.ortho_context[word] = int(flags)
    return SimpleNamespace(tokenize=PunktSentenceTokenizer(parameters).tokenize)


def _pos_tag(folder: Path | None) -> Callable[[Sequence[str]], list[tuple[str, str]]]:
    if folder is None:
        return _no_tagger
    from nltk.tag.perceptron import PerceptronTagger

    tagger = PerceptronTagger(load=False)
    try:
        tagger.model.weights = json.loads((folder / f"{_TAGGER}.weights.json").read_bytes())
        tagger.tagdict = json.loads((folder / f"{_TAGGER}.tagdict.json").read_bytes())
        tagger.classes = tagger.model.classes = set(json.loads((folder / f"{_TAGGER}.classes.json").read_bytes()))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"suite.options.tagger={folder} does not hold NLTK's {_TAGGER} ({error}); give the folder with its "
            "weights, tagdict and classes, each a .json file"
        ) from None
    return lambda words: list(tagger.tag(words))


def _no_tagger(_words: Sequence[str]) -> list[tuple[str, str]]:
    raise ConfigError(
        f"words:start_verb needs NLTK's {_TAGGER}, which no package carries; give its folder: "
        f"suite.options.tagger=/path/to/{_TAGGER}"
    )


def seeded_langdetect() -> SimpleNamespace:
    """A stand-in for the module `langdetect` whose verdict on a text is always the same one.

    langdetect draws at random: of 1,329 recorded replies that IFEval judges by their language, 18 pass or fail by the
    seed (of 0, 1, 2 and 3).
    Raises ConfigError where it is not installed.
    """
    try:
        from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
        from langdetect.lang_detect_exception import LangDetectException
    except ModuleNotFoundError as error:
        raise missing_package(error) from None
    factory = DetectorFactory()
    factory.seed = 0  # of this factory alone: other users of langdetect in this process keep theirs
    factory.load_profile(PROFILES_DIRECTORY)

    @lru_cache(maxsize=64)
    def detect(text: str) -> str:
        detector = factory.create()
        detector.append(text)
        return str(detector.detect())

    return SimpleNamespace(detect=detect, LangDetectException=LangDetectException)
