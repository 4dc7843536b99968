"""The form of a run's settings, derived from the settings classes; holds no fact of its own.

>>> form = Form()
>>> form.set_text("train.epochs", "0")
>>> form.rows["train.epochs"].error
'expected a whole number >= 1 (epochs), received 0'
"""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slr_keras import config as configs
from slr_keras.config import RunConfig
from slr_keras.errors import SettingError, UserError
from slr_keras.run_folder import RunFolder
from slr_keras.settings import schema
from slr_keras.settings.schema import Setting

from .dotted import flat, put
from .form_row import Row, to_text

OWN_PARTS = "plugin"  # the row of plug-ins
PROGRAM = "python -m slr_keras.train"
_ROLE = re.compile(r":\w+:`~?(?:\w+\.)*(\w+)`")  # a cross-reference in a docstring
ESSENTIAL = (  # what makes a run: data, network, the axes of the method, radius, length
    *("data.name", "model.name", "method.name", "labels.name", "weights.awp", "data.augment"),
    *("attack.name", "attack.norm", "attack.eps", "train.epochs"),
)
OWN_FOLDER = ("run_dir", "overwrite")  # a run's folder is no part of what it is copied for


class Form:
    """Rows, what is wrong with them, and the configuration that they make.

    Args:
        cls: the settings class of a run.
        variants: function from a kind to its variants.

    Attributes:
        rows: every row by its key, those of variants that are not chosen included.
        config: what the rows make; None while something is wrong.
        problems: what is wrong and belongs to no row that is shown.
        preset: name of the preset loaded last, until something else is loaded.
        changes: called with no arguments after every change.
    """

    def __init__(
        self,
        cls: type = RunConfig,
        variants: Callable[[str], Mapping[str, Any]] = configs.variants,
    ):
        self._cls, self._variants = cls, variants
        self.rows = {row.key: row for row in self._walk()}
        self.config: RunConfig | None = None
        self.problems: list[str] = []
        self.preset = ""
        self._presets: dict[str, str] = {}  # the texts of the preset
        self.changes: list[Callable[[], None]] = []
        self.reset()

    def renew(self) -> None:
        """Take in variants that came or went; what stands in the rows stays."""
        before, rows = self.rows, {}
        for row in self._walk():
            row.text = row.default
            old = before.get(row.key)
            rows[row.key] = old if old is not None and old.setting == row.setting else row
        self.rows = rows
        self._check()

    def _walk(self) -> Iterator[Row]:
        """A row for every setting of every variant, those that are told by their name too."""
        if self._variants is configs.variants and self._cls is RunConfig:
            return (Row(setting, "") for setting in configs.settings())
        return (Row(setting, "") for setting in schema.walk(self._cls, self._variants))

    # -- shape --------------------------------------------------------------------------------

    def chosen(self, section: str) -> str:
        """The variant chosen in a section; empty where there is no choice."""
        row = self.rows.get(f"{section}.name")
        return row.text if row and row.setting.facts.variants else ""

    def shown(self, row: Row) -> bool:
        """Whether a row belongs to the variants that are chosen."""
        return self._is_of(row.setting, self.chosen(row.setting.section))

    def _is_of(self, setting: Setting, chosen: str) -> bool:
        """Whether a setting is one of the variant called ``chosen``, or of all."""
        if setting.variant in ("", chosen):
            return True
        kind = self.rows[f"{setting.section}.name"].setting.facts.variants
        known = self._variants(kind)
        return chosen in known and getattr(known[chosen], "stand_in", "") == setting.variant

    def visible(self) -> Iterator[Row]:
        """The rows that belong to the variants that are chosen, in order."""
        return (row for row in self.rows.values() if self.shown(row))

    def row(self, path: str) -> Row | None:
        """The row that is shown for a path."""
        return next((row for row in self.visible() if row.setting.path == path), None)

    def essentials(self) -> list[Row]:
        """The few rows that make a run, of the variants that are chosen."""
        found = (self.row(path) for path in ESSENTIAL)
        return [row for row in found if row is not None]

    def differs(self, row: Row) -> bool:
        """Whether a row is not as the preset has it."""
        preset = self._presets.get(row.key, row.default)
        return row.differs_from(preset)

    def sections(self) -> dict[str, list[Row]]:
        """All rows by the section that they stand in."""
        found: dict[str, list[Row]] = {}
        for row in self.rows.values():
            found.setdefault(row.setting.section, []).append(row)
        return found

    def options(self, row: Row) -> list[str]:
        """What a row may be set to; empty for anything in range."""
        facts = row.setting.facts
        return list(self._variants(facts.variants)) if facts.variants else list(facts.choices)

    def takes_files(self, row: Row) -> bool:
        """Whether a file may stand in a variant's place: a model of the user's own."""
        kind = row.setting.facts.variants
        return bool(kind) and "a.keras" in self._variants(kind)

    def about(self, row: Row) -> str:
        """What the chosen variant is, in its own words; empty for other rows."""
        if row.kind != "variant" or row.text not in self.options(row):
            return ""
        if row.setting.path == "labels.name" and self._brings_labels():
            return f"Method {self.chosen('method')} brings its own labels."
        words = self._variants(row.setting.facts.variants)[row.text].__doc__ or ""
        return _ROLE.sub(r"\1", words.strip().partition("\n")[0]).replace("``", "")

    def _brings_labels(self) -> bool:
        """Whether the method has labels of its own, so that there is nothing to choose."""
        method = self._variants("methods").get(self.chosen("method"))
        return method is not None and method.brings_labels()

    # -- values -------------------------------------------------------------------------------

    def set_text(self, key: str, text: str) -> None:
        """Take what stands in a control."""
        if self.rows[key].text != text:
            self.rows[key].text = text
            self._check()

    def set_texts(self, texts: Mapping[str, Any], preset: str = "") -> None:
        """Show what was typed in another session; settings that are no more are passed over."""
        preset = preset if preset in configs.preset_names() else ""
        self._presets = self._texts(configs.load(preset=preset or None))
        for row in self.rows.values():
            row.text = str(texts.get(row.key, row.default))
        self.preset = preset
        self._check()

    def set_config(self, config: RunConfig, preset: str = "") -> None:
        """Show a configuration; rows of variants that it has not go to their defaults."""
        self.preset = preset
        self._presets = self._texts(configs.load(preset=preset or None))
        for key, text in self._texts(config).items():
            self.rows[key].text = text
        self._check()

    def reset(self, key: str = "", section: str | None = None) -> None:
        """Put a row, the rows shown in a section, or everything back to the defaults."""
        if key:
            self.set_text(key, self.rows[key].default)
            return
        if section is None:
            self.preset, self._presets = "", {}
        for row in self.rows.values():
            if section is None or (row.setting.section == section and self.shown(row)):
                row.text = row.default
        self._check()

    def load_preset(self, name: str) -> None:
        """Show a preset; the empty name means the defaults."""
        self.set_config(configs.load(preset=name or None), name)

    def load_toml(self, path: pathlib.Path) -> None:
        """Show the settings of a TOML file; raises a ``UserError`` that names what is wrong.

        Where it names own parts that are not known yet, their row is filled.
        """
        try:
            self._new_run(configs.load(file=path))
        except SettingError as error:
            named = configs.read_toml(path).get(OWN_PARTS)
            if not isinstance(named, list) or not named:
                raise
            self.set_text(OWN_PARTS, ",".join(map(str, named)))
            raise UserError(
                f"{error} It takes own parts: once they are known import it again."
            ) from error

    def load_run(self, path: pathlib.Path) -> None:
        """Show the settings of a run, to start one like it in a folder of its own."""
        self._new_run(RunFolder.open(path).config())

    def _new_run(self, config: RunConfig) -> None:
        defaults = {name: getattr(RunConfig(), name) for name in OWN_FOLDER}
        self.set_config(config.replace(**defaults))

    def _texts(self, config: RunConfig) -> dict[str, str]:
        """What a configuration puts into the rows; those of other variants have their defaults."""
        leaves = dict(flat(schema.to_dict(config)))
        found = {}
        for key, row in self.rows.items():
            setting = row.setting
            chosen = str(leaves.get(f"{setting.section}.name", ""))
            known = setting.path in leaves and self._is_of(setting, chosen)
            found[key] = to_text(leaves[setting.path], setting.facts) if known else row.default
        return found

    @property
    def edited(self) -> bool:
        """Whether the settings are no more those of the preset."""
        return self.config != configs.load(preset=self.preset or None)

    # -- checks -------------------------------------------------------------------------------

    def _check(self) -> None:
        """Parse the rows that are shown, then make the configuration from them."""
        values: dict[str, Any] = {}
        self.config, self.problems, sound = None, [], True
        for row in self.rows.values():
            row.error = ""
        for row in self.visible():
            try:
                put(values, row.setting.path, row.setting.parse(row.text.strip()))
            except SettingError as error:
                row.error, sound = error.message, False
        if sound:
            self._make(values)
        for call in self.changes:
            call()

    def _make(self, values: dict[str, Any]) -> None:
        try:
            self.config = schema.from_dict(self._cls, values, self._variants, like=self._cls())
        except SettingError as error:
            row = self.row(error.path)
            if row is None:
                self.problems.append(str(error))
            else:
                row.error = error.message
        except UserError as error:
            self.problems.append(str(error))

    def errors(self) -> list[str]:
        """Everything that keeps the run from starting, a sentence each."""
        wrong = (row for row in self.rows.values() if row.error)  # those that are shown alone
        rows = [f"{row.setting.path}: {row.error}" for row in wrong]
        return rows + self.problems

    def warnings(self) -> list[str]:
        """What is allowed and probably not meant."""
        return self.config.warnings() if self.config else []

    # -- copies -------------------------------------------------------------------------------

    def toml(self) -> str:
        """The complete configuration as a file's content; raises ``UserError`` if it is wrong."""
        if self.config is None:
            raise UserError(f"the settings cannot be written: {self.errors()[0]}")
        return configs.dumps(self.config)

    def command(self) -> str:
        """The command that starts this run: the flags that differ from the defaults."""
        flags = [_flag(row) for row in self.visible() if row.changed]
        return " ".join([PROGRAM, *flags])


def _flag(row: Row) -> str:
    path, text = row.setting.path, row.text.strip()
    if row.setting.type is bool:
        return f"--{path}" if row.setting.parse(text) else f"--no-{path}"
    if row.kind == "list":
        text = text.replace(" ", "")
    return f"--{path} {shlex.quote(text)}"
