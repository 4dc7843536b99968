"""The columns of the table of runs: what each says and how it sorts."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import Any

from . import run_group as groups
from . import run_words as words
from .run_record import RunRecord


@dataclasses.dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: stable identity, kept in the session.
        title: its header.
        text: what a cell says.
        key: what it sorts by; None goes last.
        help: tool tip of the header.
        of_group: what it says of a group of runs, and what that sorts by.
        number: right-aligned, and sorted from the largest at first.
        shown: visible until the user chooses otherwise.
        width: in characters.
        setting: the setting it shows, if it is one.
    """

    name: str
    title: str
    text: Callable[[RunRecord], str]
    key: Callable[[RunRecord], Any]
    help: str = ""
    of_group: groups.Say = groups.nothing
    number: bool = False
    shown: bool = True
    width: int = 9
    setting: str = ""


def setting_column(path: str, title: str = "", name: str = "", **facts: Any) -> Column:
    """The column of one setting, by its dotted name."""

    def text(record: RunRecord) -> str:
        return words.show(record.values[path]) if path in record.values else ""

    def key(record: RunRecord) -> Any:
        return _sortable(record.values.get(path))

    return Column(
        name or f"set:{path}",
        title or path,
        text,
        key,
        f"The setting {path}.",
        groups.values(text, key, path),
        setting=path,
        **facts,
    )


def _sortable(value: Any) -> Any:
    size = words.number(value)
    return size if size is not None else None if value is None else words.show(value).lower()


def _epsilon(record: RunRecord) -> float | None:
    return words.number(record.values.get("attack.eps"))


def _share(figure: str) -> dict[str, Any]:
    value = operator.attrgetter(f"figures.{figure}")
    return {
        "text": lambda record: words.percent(value(record)),
        "key": value,
        "of_group": groups.figures(figure, words.percent),
        "number": True,
    }


def _test(which: str, figure: str) -> dict[str, Any]:
    return {
        "text": lambda record: words.percent(record.test(which, figure)),
        "key": lambda record: record.test(which, figure),
        "of_group": groups.tested(which, figure),
        "number": True,
        "shown": False,
        "width": 10,
    }


_STATUS_ORDER = list(words.STATUS)

COLUMNS: tuple[Column, ...] = (
    Column(
        "name",
        "Name",
        lambda record: record.name,
        lambda record: record.name.lower(),
        "The run's folder, or the name you gave it. F2 renames.",
        groups.name,
        width=23,
    ),
    Column(
        "status",
        "Status",
        words.status_text,
        lambda record: (
            _STATUS_ORDER.index(record.status)
            if record.status in _STATUS_ORDER
            else len(_STATUS_ORDER)
        ),
        "What the run does now, or how it ended. ⚠ marks a folder with a problem.",
        groups.states,
        width=17,
    ),
    Column(
        "best",
        "Robust best",
        words.best_text,
        lambda record: record.best_robust,
        "Best robust validation accuracy, and the epoch it was reached in.",
        groups.figures("best_robust", words.percent),
        number=True,
        width=12,
    ),
    Column(
        "final",
        "Final",
        help="Robust validation accuracy at the last evaluation "
        "(of the test set where there is no validation split).",
        width=7,
        **_share("final_robust"),
    ),
    Column(
        "drop",
        "Drop",
        words.drop_text,
        lambda record: record.drop,
        "Best minus final robust accuracy in percentage points: what robust overfitting took. "
        f"Marked from {words.LARGE_DROP:.0f} pp.",
        groups.drop,
        number=True,
        width=10,
    ),
    setting_column("method.name", "Method", "method", width=7),
    Column(
        "clean",
        "Clean",
        help="Clean validation accuracy at the best robust epoch "
        "(of the test set where there is no validation split).",
        width=7,
        **_share("clean"),
    ),
    Column(
        "curve",
        "Robust curve",
        lambda record: "",
        lambda record: record.last_epoch,
        "Robust validation accuracy by epoch; the dot is the best one. Sorts by epochs.",
        width=17,
    ),
    Column(
        "epsilon",
        "Epsilon",
        words.epsilon_text,
        _epsilon,
        "The bound of the training attack (attack.eps).",
        groups.values(words.epsilon_text, _epsilon, "attack.eps", "attack.norm"),
        number=True,
        setting="attack.eps",
        width=7,
    ),
    setting_column("model.name", "Model", "model", width=11),
    setting_column("data.name", "Data", "data", width=8),
    Column(
        "gap",
        "Gap",
        lambda record: words.points(record.gap),
        lambda record: record.gap,
        "Robust accuracy on training images minus that on validation images, "
        "at the last evaluation, in percentage points.",
        groups.figures("gap", words.points),
        number=True,
        width=8,
    ),
    Column(
        "started",
        "Started",
        lambda record: words.when(record.started),
        lambda record: record.started,
        "When the run began; of several, the last.",
        groups.newest,
        number=True,
        width=15,
    ),
    Column(
        "notes",
        "Notes",
        lambda record: " ".join(record.notes.split()),
        lambda record: record.notes.lower() or None,
        "Your notes, kept in the run's folder.",
        width=20,
    ),
    Column(
        "epochs",
        "Epochs",
        lambda record: f"{record.last_epoch}/{record.planned_epochs or '?'}",
        lambda record: record.last_epoch,
        "Finished and planned epochs.",
        groups.epochs,
        number=True,
        shown=False,
    ),
    setting_column("seed", "Seed", "seed", number=True, shown=False, width=6),
    Column(
        "time",
        "Training time",
        lambda record: words.duration(words.training_seconds(record)),
        words.training_seconds,
        "Time spent on the finished epochs; of several, all of it.",
        groups.seconds,
        number=True,
        shown=False,
        width=12,
    ),
    Column(
        "test_clean",
        "Test clean",
        help="Clean accuracy of the best epoch's weights on the test set.",
        **_test("best", "accuracy"),
    ),
    Column(
        "test_best",
        "Test robust best",
        help="Robust accuracy of the best epoch's weights on the test set.",
        **_test("best", "robust_accuracy"),
    ),
    Column(
        "test_final",
        "Test robust final",
        help="Robust accuracy of the final weights on the test set.",
        **_test("final", "robust_accuracy"),
    ),
    Column(
        "folder",
        "Folder",
        lambda record: str(record.path),
        lambda record: str(record.path).lower(),
        "Where the run lies on disk.",
        groups.folder,
        shown=False,
        width=30,
    ),
)
