"""Made-up runs written to disk as the runner leaves them."""

from collections.abc import Iterable
from pathlib import Path

from harness.records import Record
from harness.report.view import RunView
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY, write_record
from tests.support.report_runs import made_run


def store(view: RunView, results: Path) -> Path:
    """The run's folder under `results/run`, with all of its files."""
    folder = results / "run" / view.id
    folder.mkdir(parents=True)
    write_record(folder / MANIFEST, view.manifest)
    write_record(folder / SUMMARY, view.summary)
    for name, records in ((SAMPLES, view.samples), (ATTEMPTS, view.attempts), (SCORES, view.scores)):
        (folder / name).write_text(_lines(records), encoding="utf-8")
    return folder


def _lines(records: Iterable[Record]) -> str:
    return "".join(f"{one.model_dump_json()}\n" for one in records)


def pair(results: Path) -> tuple[Path, Path]:
    """A prompted run and a better constrained one of the same model on the same samples."""
    return (
        store(made_run(protocol="prompted", skill=0.1, started_at="2026-03-02T10:15:00Z"), results),
        store(made_run(protocol="constrained", skill=0.6, started_at="2026-03-02T10:17:00Z"), results),
    )
