"""The left side of the Evaluate screen: which model, which attacks, how many images."""

from __future__ import annotations

import dataclasses
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from slr_keras import config as configs
from slr_keras.evaluation import specs
from slr_keras.evaluation.smoothing import Smoothing
from slr_keras.settings import schema

from .. import theme
from ..models.asked import CORRUPTIONS, CURVE, KINDS, Evaluation, norms
from ..models.run_record import RunRecord
from .evaluate_fields import EvaluateFields
from .no_wheel import guard
from .parts import ChoiceBox, with_button
from .run_box import RunBox, trained

OWN = list(KINDS)[-1]
NOBODY = "no other model"
TRAINED = "as trained"


class EvaluateForm(QWidget):
    """What is asked for.

    Signals:
        start: evaluate it.
        chosen: another model, (run folder or file, which).
        changed: anything.
    """

    start = Signal()
    chosen = Signal(str, str)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._files: list[str] = []
        self._records: list[RunRecord] = []
        self._build_model()
        self._build_attacks()
        self._build_extent()
        self.why = QLabel(wordWrap=True)
        theme.role(self.why, "muted")
        self.go = QPushButton("Evaluate")
        theme.role(self.go, "primary")
        self.go.clicked.connect(self.start)
        self.fields = EvaluateFields(self)
        self.fields.changed.connect(self._show)
        self._build_ball()
        self._build_noise()
        layout = self._column = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 8, 4)
        layout.addLayout(self._rows())
        layout.addWidget(self.attacks, 1)
        layout.addStretch()
        for widget in (self.keep, self.why, self.go):
            layout.addWidget(widget)
        for scrolling in (*self.findChildren(QComboBox), *self.findChildren(QSpinBox)):
            guard(scrolling)
        self._show()

    def _rows(self) -> QFormLayout:
        """What every evaluation needs, then a switch that shows the rest."""
        self.rest = QToolButton(text="More", checkable=True)
        self.rest.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.rest.setAutoRaise(True)
        self.rest.setToolTip("Norm and radius, accuracy against epsilon, transfer, certificates")
        self.rest.toggled.connect(lambda _: self._show())
        form = self._form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._folder = with_button(self.folder, self._choose_folder, "Choose a folder of images")
        for text, field in (
            ("&Model", with_button(self.model, self._choose_file, "Choose a .keras file")),
            ("&Epoch", self.which),
            ("&Data set", self.data),
            ("&Images", self.samples),
            ("A&ttacks", self.kind),
            ("&Version", self.version),
            ("&Stored in", self._folder),
        ):
            form.addRow(text, field)
        form.addRow(self.rest)
        more = (
            ("A&lso", self.more),
            ("&Norm", self.norm),
            ("&Radius", self.radius),
            ("&Against epsilon", self.curve),
            ("Trans&fer from", self.transfer),
            ("&Certify with noise", self.sigmas),
            ("Dra&ws", self.draws),
        )
        for text, field in more:
            form.addRow(text, field)
        self.fields.add_to(form)
        self._hidden = [field for _, field in more]
        return form

    # -- building -----------------------------------------------------------------------------

    def _build_model(self) -> None:
        self.model = RunBox("Model to evaluate")
        self.model.activated.connect(lambda _: self._model_chosen())
        self.which = _combo("Epoch whose weights are evaluated")
        self.which.addItem("Best robust epoch", "best")
        self.which.addItem("Last epoch", "final")
        self.which.activated.connect(lambda _: self._model_chosen())
        self.data = _combo("Data set of the file")
        self.data.setEditable(True)
        facts = next(s.facts for s in configs.settings() if s.path == "data.name")
        self.data.addItems([str(choice) for choice in facts.choices])
        self.data.setCurrentText("")
        self.data.lineEdit().setPlaceholderText("as its run used")
        self.data.editTextChanged.connect(lambda _: self._show())

    def _build_attacks(self) -> None:
        self.kind = _combo("Which attacks")
        self.kind.addItems(list(KINDS))
        self.kind.currentIndexChanged.connect(lambda _: self._show())
        self.version = _combo("Version of AutoAttack")
        self.version.addItems(list(specs.VERSIONS))
        self.attacks = QListWidget()
        self.attacks.setAccessibleName("Attacks, to choose from")
        for name, words in specs.described().items():
            item = QListWidgetItem(name)
            item.setToolTip(words)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(_state(name in specs.USUAL))
            self.attacks.addItem(item)
        self.attacks.itemChanged.connect(lambda _: self._show())
        self.more = QLineEdit(placeholderText="pgd-50 square-1000")
        self.more.setAccessibleName("More attacks, by name and number of steps or queries")
        self.more.setToolTip("Names as on the command line; a number is that of steps or queries")
        self.more.textChanged.connect(lambda _: self._show())

    def _build_ball(self) -> None:
        self.norm = _combo("Norm in which the attacks search")
        for text, name in ((TRAINED, ""), *((norm, norm) for norm in norms())):
            self.norm.addItem(text, name)
        self.norm.currentIndexChanged.connect(lambda _: self._show())
        self.radius = QLineEdit()
        self.radius.setAccessibleName("Radius within which the attacks search")
        self.radius.setToolTip(_help(type(configs.RunConfig().attack), "eps"))
        self.radius.textChanged.connect(lambda _: self._show())
        self.folder = QLineEdit(placeholderText="made here")
        self.folder.setAccessibleName("Folder of naturally changed images")
        self.folder.setToolTip(
            "Images in CIFAR-10-C's format, in the place of those that are made here; empty: none"
        )
        self.folder.textChanged.connect(lambda _: self._show())

    def _build_noise(self) -> None:
        usual = Smoothing()
        self.sigmas = QLineEdit(placeholderText=f"none; sizes as {usual.sigma:g}")
        self.sigmas.setAccessibleName("Sizes of the noise of certificates")
        self.sigmas.setToolTip(
            "Randomised smoothing: standard deviations of noise, pixels in [0, 1]; that of the "
            "training certifies most; empty: no certificates"
        )
        self.sigmas.textChanged.connect(lambda _: self._show())
        self.draws = QSpinBox(maximum=10_000_000, value=usual.samples, singleStep=1000)
        self.draws.setGroupSeparatorShown(True)
        self.draws.setAccessibleName("Noisy images for each image")
        self.draws.setToolTip(_help(Smoothing, "samples"))
        self.draws.valueChanged.connect(lambda _: self._show())

    def _build_extent(self) -> None:
        self.samples = QSpinBox(maximum=1_000_000, value=1000, singleStep=100)
        self.samples.setSpecialValueText("all")
        self.samples.setAccessibleName("Number of test images")
        self.samples.setToolTip("The first images of the test set; 0 for all")
        self.curve = QLineEdit(placeholderText=f"none; radii as {CURVE}")
        self.curve.setAccessibleName("Radii for accuracy against epsilon")
        self.curve.setToolTip(
            "Accuracy under PGD-20 at these radii, first:last:number; empty: none"
        )
        self.curve.textChanged.connect(lambda _: self._show())
        self.transfer = RunBox("Model whose adversarial images are tried")
        self.keep = QCheckBox("Keep adversarial images, for the gallery")
        self.keep.setChecked(True)

    # -- both ways ----------------------------------------------------------------------------

    def offer(self, records: list[RunRecord]) -> None:
        """Offer these runs; what was chosen stays so."""
        self._records = records
        sources = trained(records, self._files)
        self.model.offer(sources)
        self.transfer.offer([(NOBODY, ""), *sources])
        self._show()

    def choose(self, path: str, which: str) -> None:
        """Choose a model."""
        if path.endswith(".keras") and path not in self._files:
            self._files.append(path)
            self.offer(self._records)
        self.model.choose(path)
        self.which.setCurrentIndex(max(0, self.which.findData(which)))
        self._show()

    def asked(self) -> Evaluation:
        """What stands in the form."""
        target = self.model.path
        is_file = target.endswith(".keras")
        attacks = [*self._names(), *self.more.text().split()]
        return Evaluation(
            target,
            "" if is_file else str(self.which.currentData()),
            attacks,
            self.version.currentText(),
            self.samples.value(),
            self.curve.text().strip(),
            self.transfer.path,
            self.keep.isChecked(),
            self.data.currentText().strip() if is_file else "",
            str(self.norm.currentData()),
            self.radius.text().strip(),
            self.sigmas.text().replace(",", " ").split(),
            self.draws.value() if self.draws.value() != Smoothing().samples else 0,
            self.folder.text().strip(),
            self._trained(target),
            self.fields.given(self._needed(attacks)),
        )

    def _needed(self, attacks: list[str]) -> set[str]:
        """What is asked for that further fields need."""
        given = {
            "--curve": self.curve.text().strip(),
            "--transfer-from": self.transfer.path,
            "--certify": self.sigmas.text().strip(),
        }
        return {*attacks, *(name for name, value in given.items() if value)}

    def _trained(self, target: str) -> Any:
        """The attack that a run was trained with; None where nothing says."""
        configs_of = (r.config for r in self._records if r.key == target)
        config = next(configs_of, None)
        return config.attack if config else None

    def _names(self) -> list[str]:
        if self.kind.currentText() != OWN:
            return list(KINDS[self.kind.currentText()])
        items = map(self.attacks.item, range(self.attacks.count()))
        return [item.text() for item in items if item.checkState() == Qt.CheckState.Checked]

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Model", "", "Keras models (*.keras)")
        if path:
            self.choose(path, "")
            self._model_chosen()

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of images", self.folder.text())
        if path:
            self.folder.setText(path)

    def _model_chosen(self) -> None:
        self._show()
        self.chosen.emit(self.model.path, str(self.which.currentData()))

    def _show(self) -> None:
        asked = self.asked()
        own = self.kind.currentText() == OWN
        self.attacks.setVisible(own)
        self._column.setStretchFactor(self.attacks, 1 if own else 0)
        self._show_rows(asked)
        problem = asked.problem()
        self.why.setText(problem)
        self.why.setVisible(bool(problem))
        self.go.setEnabled(not problem)
        self.changed.emit()

    def _show_rows(self, asked: Evaluation) -> None:
        """Those that mean something for what is asked."""
        is_file = asked.target.endswith(".keras")
        shown = {
            self.which: not is_file,
            self.data: is_file,
            self.version: specs.AUTOATTACK in asked.attacks,
            self._folder: CORRUPTIONS in asked.attacks,
        }
        shown |= dict.fromkeys(self._hidden, self.rest.isChecked())
        for field, wanted in shown.items():
            self._form.setRowVisible(field, wanted)
        more = self.rest.isChecked()
        self.fields.show_rows(self._form, self._needed(list(asked.attacks)), more)
        arrow = Qt.ArrowType.DownArrow if self.rest.isChecked() else Qt.ArrowType.RightArrow
        self.rest.setArrowType(arrow)
        given = (
            asked.norm,
            asked.eps,
            asked.curve,
            asked.transfer,
            asked.certify,
            self.more.text(),
        )
        count = sum(map(bool, given)) + len(asked.more)
        self.rest.setText(f"More ({count} set)" if count else "More")
        like = asked.trained
        self.radius.setPlaceholderText(TRAINED if like is None else f"{TRAINED}: {_radius(like)}")
        if asked.norm and like is not None and asked.norm != like.norm:
            self.radius.setPlaceholderText(f"in {asked.norm}")


def _radius(attack: Any) -> str:
    field = next(field for field in dataclasses.fields(attack) if field.name == "eps")
    return str(schema.show(attack.eps, field.metadata["facts"]))


def _help(cls: type, name: str) -> str:
    """What a setting is, with its unit."""
    facts = next(f.metadata["facts"] for f in dataclasses.fields(cls) if f.name == name)
    unit = f"; {facts.unit}" if facts.unit else ""
    return f"{facts.help[:1].upper()}{facts.help[1:]}{unit}"


def _state(checked: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked


def _combo(name: str) -> ChoiceBox:
    made = ChoiceBox()
    made.setAccessibleName(name)
    made.setMinimumContentsLength(8)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return made
