"""Samples made into rows, with a reason for each that makes none."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.config.convert import ConvertData
from harness.convert.data.answers import Answer, Unfit, answer_on_record
from harness.convert.data.balance import Made
from harness.convert.data.rows import make_row
from harness.convert.data.setup import Setup
from harness.convert.data.teacher import Teaching, choose
from harness.errors import ConfigError
from harness.records import Sample

__all__ = ["Maker", "labels_of"]

_TEACHER = "teacher"
_OF_LOGITS = ("top_k", "temperature")
_DEFAULT = {one: ConvertData.model_fields[one].default for one in _OF_LOGITS}


def labels_of(data: ConvertData) -> tuple[str, ...]:
    """Whose answers count, in the order in which they are looked for: a teacher's first, where it is not placed.

    Raises ConfigError for the label `teacher` without one, and for settings of a teacher that cannot take effect.
    """
    if data.teacher is None and _TEACHER in data.labels:
        raise ConfigError(
            "convert.data.labels has teacher, and convert.data.teacher names none; add the name of a model"
        )
    if data.teacher is None and data.distill == "logits":
        raise ConfigError("convert.data.distill=logits needs a teacher: convert.data.teacher=NAME, a local model")
    if data.distill == "replies" and (typed := [one for one in _OF_LOGITS if getattr(data, one) != _DEFAULT[one]]):
        raise ConfigError(
            f"convert.data.{typed[0]} is of a teacher's probabilities, and only its replies are learned; "
            "type convert.data.distill=logits"
        )
    if data.teacher_keep == "agreeing" and data.teacher_trials < 2:
        raise ConfigError(
            f"convert.data.teacher_keep=agreeing takes what most of several answers do, and "
            f"convert.data.teacher_trials={data.teacher_trials}; type convert.data.teacher_trials=3"
        )
    if data.teacher is None or _TEACHER in data.labels or data.distill == "logits":
        return data.labels
    return (_TEACHER, *data.labels)


@dataclass(slots=True)
class Maker:
    """Makes rows of samples, and counts."""

    data: ConvertData
    setup: Setup
    teaching: Teaching | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    teacher_wrong: int = 0

    def rows(self, samples: Iterable[Sample]) -> list[Made]:
        """A row for each sample that makes one, in their order."""
        found = []
        for sample in samples:
            try:
                found.append(self._row(sample))
            except Unfit as reason:
                self.dropped[str(reason)] += 1
        return found

    def _row(self, sample: Sample) -> Made:
        labels = labels_of(self.data)
        say = self.data.words == "say"
        reason = Unfit(f"no answer by the labels {', '.join(labels)}")
        for label in labels:
            try:
                answer, scored = self._answer(sample, label, labels)
                if answer is None:
                    continue
                row = make_row(sample, answer, self.setup.model, self.setup.scorer, say=say, scored=scored)
            except Unfit as found:
                reason = found
                continue
            return sample, row
        raise reason

    def _answer(self, sample: Sample, label: str, labels: Sequence[str]) -> tuple[Answer | None, bool]:
        """The answer by one label, and whether the suite's scorer has to find it right."""
        if label != _TEACHER:
            return answer_on_record(sample, label), True
        lessons = self.teaching.lessons.get(sample.id, ()) if self.teaching is not None else ()
        referenced = any(answer_on_record(sample, one) is not None for one in labels if one != _TEACHER)
        chosen = choose(lessons, self.data.teacher_keep, referenced=referenced)
        if chosen is None:
            self.teacher_wrong += bool(lessons)
            return None, True
        return chosen

    def reasons(self) -> Mapping[str, int]:
        """Samples without a row by reason, the most frequent first."""
        return dict(self.dropped.most_common())
