"""The pane beside the table of runs: all about the selected one, or what tells several apart."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from PySide6.QtCore import QEvent, QMimeData, QObject, QTimer, Signal
from PySide6.QtGui import QTextOption
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QTextBrowser, QVBoxLayout, QWidget

from .. import theme
from ..models import run_words as words
from ..models.places import shown
from ..models.run_columns import COLUMNS
from ..models.run_group import Group
from ..models.run_record import RunRecord

TYPING_MS = 800
BREAK = "\u200b"  # that is not seen
SIDE_BY_SIDE = 2  # runs whose settings are shown next to each other
EACH = 50  # with more runs their figures are put together
TOGETHER = ("best", "final", "drop", "clean", "gap")
TOLD_APART = 2000  # with more runs the settings of the first of them are looked at
VALUES = 12  # of a setting that are written out


class _Text(QTextBrowser):
    """Text that is copied without the places where it may be broken."""

    def createMimeDataFromSelection(self) -> QMimeData:
        """As it would be typed."""
        copied = QMimeData()
        copied.setText(self.textCursor().selection().toPlainText().replace(BREAK, ""))
        return copied


class RunDetail(QWidget):
    """Figures, settings, warnings and notes.

    Signals:
        noted: a run and its new notes.
    """

    noted = Signal(object, str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._records: list[RunRecord] = []
        self._noting: RunRecord | None = None
        self._shown = ""
        self.text = _Text(openLinks=False)
        self.text.setAccessibleName("Details of the selected run")
        self.text.setFrameShape(QTextBrowser.Shape.NoFrame)
        self.text.setWordWrapMode(QTextOption.WrapMode.WordWrap)
        self.text.document().setDocumentMargin(8)
        self._label = QLabel("&Notes")
        self.notes = QPlainTextEdit(placeholderText="What to remember of this run")
        self.notes.setAccessibleName("Notes on the selected run")
        self.notes.setTabChangesFocus(True)
        self.notes.setMaximumHeight(5 * self.fontMetrics().height())
        self.notes.installEventFilter(self)
        self._label.setBuddy(self.notes)
        self._typing = QTimer(self, interval=TYPING_MS, singleShot=True)
        self._typing.timeout.connect(self.keep_notes)
        self._typed = False  # since the notes were last kept
        self.notes.textChanged.connect(self._on_typed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(self._label)
        layout.addWidget(self.notes)
        self._fill_notes()
        self.show_runs([])

    def show_runs(self, records: Sequence[RunRecord]) -> None:
        """Show these runs; the same ones again bring the text up to date."""
        one = records[0] if len(records) == 1 else None
        if one is not self._noting:
            self.keep_notes()
            self._noting = one
            self._fill_notes()
        elif one is not None and not self.notes.hasFocus() and not self._typed:
            self._fill_notes()
        self._records = list(records)
        self._draw()

    def keep_notes(self) -> None:
        """Hand on what was typed, if anything was."""
        typed, self._typed = self._typed, False
        self._typing.stop()
        if typed and self._noting is not None:
            self.noted.emit(self._noting, self.notes.toPlainText())

    def _on_typed(self) -> None:
        self._typed = True
        self._typing.start()

    def _fill_notes(self) -> None:
        text = self._noting.notes if self._noting else ""
        if self.notes.toPlainText() != text:
            self.notes.blockSignals(True)  # not typed by anybody
            self.notes.setPlainText(text)
            self.notes.blockSignals(False)
        for widget in (self._label, self.notes):
            widget.setVisible(self._noting is not None)

    def _draw(self) -> None:
        text = describe(self._records)
        if text != self._shown:  # setting it anew would lose the scroll position
            bar = self.text.verticalScrollBar()
            place = bar.value() if self._title(text) == self._title(self._shown) else 0
            self._shown = text
            self.text.setHtml(text)
            bar.setValue(place)

    @staticmethod
    def _title(text: str) -> str:
        return text.partition("</h3>")[0]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep notes when the focus leaves them."""
        if watched is self.notes and event.type() == QEvent.Type.FocusOut:
            self.keep_notes()
        return super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "notes"):
            self._draw()


def describe(records: Sequence[RunRecord]) -> str:
    """HTML on one run, on several, or on what to do when none is selected."""
    if not records:
        return _muted(
            "Select a run to see its figures and settings, or several to see what tells them apart."
        )
    return _one(records[0]) if len(records) == 1 else _several(records)


def _one(record: RunRecord) -> str:
    colours, state = theme.colours(), words.status(record)
    device = f" on {record.device}" if record.device else ""
    times = f"Started {words.when(record.started)}"
    if record.epochs:
        times += f", trained {words.duration(words.training_seconds(record))}{device}"
    parts = [
        f"<h3>{_safe(record.name)}</h3>",
        f'<p><span style="color:{getattr(colours, state.colour)}">'
        f"{_safe(words.status_text(record))}</span><br>{_muted(times, '')}<br>"
        f"{_muted(_breakable(shown(record.path)), '')}</p>",
        *(_box(text, "bad") for text in (record.failure, record.problem) if text),
        *_figures(record),
        *_warnings(record),
        *_settings(record),
    ]
    return "".join(parts)


def _figures(record: RunRecord) -> list[str]:
    f, tested = record.figures, record.summary is not None
    if f.best_robust is None and not tested:
        return [_muted("No evaluation has been made yet, so there are no figures.")]
    best = record.test("best", "robust_accuracy")
    final = record.test("final", "robust_accuracy")
    lost = 100 * (best - final) if best is not None and final is not None else None
    epoch = f" (epoch {f.best_epoch})" if f.best_epoch is not None else ""
    validated = f.best_robust is not None
    rows: list[tuple[str, str, str]] = [
        (
            f"Robust, best{epoch}",
            words.percent(f.best_robust),
            words.percent(best),
        ),
        (
            "Robust, final",
            words.percent(f.final_robust if validated else None),
            words.percent(final),
        ),
        ("Drop", words.points(f.drop), words.points(lost)),
        (
            "Clean, at the best",
            words.percent(f.clean if validated else None),
            words.percent(record.test("best", "accuracy")),
        ),
        (
            "Clean, final",
            words.percent(f.final_clean if validated else None),
            words.percent(record.test("final", "accuracy")),
        ),
        ("Gap to training images", words.points(f.gap), ""),
    ]
    red = {"Drop"} if words.is_large(f.drop) or words.is_large(lost) else set()
    table = _table(("", "Validation", "Test"), rows, right=(1, 2), red=red)
    return ["<h4>Figures</h4>", table, _test_attack(record)]


def _test_attack(record: RunRecord) -> str:
    summary = record.summary or {}
    attack, samples = summary.get("attack"), summary.get("test_samples")
    if not isinstance(attack, str):
        return ""
    images = f" on {samples:,} images" if isinstance(samples, int) else ""
    return _muted(f"Tested with {attack}{images}.")


def _warnings(record: RunRecord) -> list[str]:
    found = [*(record.config.warnings() if record.config else []), *record.warnings]
    unique = list(dict.fromkeys(found))
    return ["<h4>Warnings</h4>", *(_box(text, "warn") for text in unique)] if unique else []


def _settings(record: RunRecord) -> list[str]:
    rows = words.changed_settings(record)
    if not rows:
        known = "All settings have their defaults." if record.values else ""
        return [_muted(known)] if known else []
    head = "<h4>Settings that differ from the defaults</h4>"
    return [head, _table(("Setting", "Value", "Default"), rows, muted=(2,))]


def _several(records: Sequence[RunRecord]) -> str:
    parts = [
        f"<h3>{len(records)} runs selected</h3>",
        _each(records) if len(records) <= EACH else _together(records),
        "<h4>Settings that tell them apart</h4>",
    ]
    if len(records) > TOLD_APART:
        parts.append(_muted(f"Of the first {TOLD_APART:,}; Only differing settings shows all."))
        records = records[:TOLD_APART]
    paths = words.differing(records)
    if not paths:
        return "".join([*parts, _muted("None: these runs have the same settings.")])
    if len(records) > SIDE_BY_SIDE:
        rows = [(path, _values(records, path)) for path in paths]
        return "".join([*parts, _table(("Setting", "Values"), rows)])
    names = [record.name.rpartition("/")[2] for record in records]
    rows_each = [(path, *(_value(record, path) for record in records)) for path in paths]
    return "".join([*parts, _table(("Setting", *names), rows_each)])


def _each(records: Sequence[RunRecord]) -> str:
    """The name of each above its figures: beside them it would have no room."""
    head, colours = ("Robust best", "Final", "Drop"), theme.colours()
    lines = [_line(head, [colours.muted] * len(head), (0, 1, 2))]
    for r in records:
        figures = (words.best_text(r), words.percent(r.final_robust), words.drop_text(r))
        lines += [f'<tr><td colspan="{len(head)}">{_muted(_breakable(r.name), "")}</td></tr>']
        lines += [_line(figures, [colours.text] * len(head), (0, 1, 2))]
    return _framed(lines)


def _together(records: Sequence[RunRecord]) -> str:
    """Mean and range of many."""
    group = Group("", "", 0, list(records), len(records))
    cells = [(c.title, c.of_group(group).text) for c in COLUMNS if c.name in TOGETHER]
    return _table(("", "Mean and range"), cells, right=(1,))


def _value(record: RunRecord, path: str) -> str:
    return words.show(record.values[path]) if path in record.values else "–"


def _values(records: Iterable[RunRecord], path: str) -> str:
    found = list(dict.fromkeys(_value(r, path) for r in records if path in r.values))
    more = f" and {len(found) - VALUES:,} more" if len(found) > VALUES else ""
    return " · ".join(found[:VALUES]) + more


# -- HTML -------------------------------------------------------------------------------------


def _safe(text: str) -> str:
    return html.escape(text)


def _breakable(text: object) -> str:
    """A path that may be broken after its slashes."""
    return re.sub(r"([/\\])", rf"\1{BREAK}", str(text))


def _cell(text: str, figure: bool) -> str:
    """A cell's text; figures stay on one line, lists may be broken after their commas."""
    return _safe(text.replace(" ", "\u00a0") if figure else re.sub(r",(?=\S)", f",{BREAK}", text))


def _apart(i: int) -> str:
    return ' style="padding-left:6px"' if i else ""


def _muted(text: str, tag: str = "p") -> str:
    span = f'<span style="color:{theme.colours().muted}">{_safe(text)}</span>'
    return f"<{tag}>{span}</{tag}>" if tag else span


def _box(text: str, colour: str) -> str:
    """A sentence with a coloured edge."""
    edge = getattr(theme.colours(), colour)
    return (
        '<table width="100%" cellspacing="0" cellpadding="6" style="margin-bottom:4px"><tr>'
        f'<td width="3" bgcolor="{edge}" style="padding:0"></td><td>{_safe(text)}</td></tr></table>'
    )


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    muted: Sequence[int] = (),
    red: Iterable[str] = (),
) -> str:
    """A table; the numbers of columns to align right or to mute, the first cells of red rows."""
    colours, marked = theme.colours(), set(red)
    lines = [_line(head, [colours.muted] * len(head), right)]
    for row in rows:
        colour = colours.bad if row[0] in marked else colours.text
        lines.append(
            _line(row, [colours.muted if i in muted else colour for i in range(len(row))], right)
        )
    return _framed(lines)


def _line(cells: Sequence[str], colours: Sequence[str], right: Sequence[int]) -> str:
    """A row of a table."""
    made = (
        f'<td align="{"right" if i in right else "left"}"{_apart(i)}>'
        f'<span style="color:{colour}">{_cell(cell, i in right)}</span></td>'
        for i, (cell, colour) in enumerate(zip(cells, colours, strict=True))
    )
    return f"<tr>{''.join(made)}</tr>"


def _framed(lines: Iterable[str]) -> str:
    return f'<table width="100%" cellspacing="0" cellpadding="2">{"".join(lines)}</table>'
