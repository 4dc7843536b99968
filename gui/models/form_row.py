"""One row of the form: a setting, what stands in its control, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from slr_keras.errors import SettingError
from slr_keras.settings import schema
from slr_keras.settings.schema import Setting


@dataclasses.dataclass
class Row:
    """One setting as it stands in the form.

    Attributes:
        setting: all that is known of it.
        text: what stands in its control.
        error: what is wrong with the text; empty when nothing is.
    """

    setting: Setting
    text: str
    error: str = ""

    @property
    def key(self) -> str:
        """Its identity: the path, and the variant where only one variant has it."""
        return f"{self.setting.path}@{self.setting.variant}".removesuffix("@")

    @property
    def label(self) -> str:
        """Its name in words."""
        return self.setting.label

    @property
    def help(self) -> str:
        """What it does, as a sentence."""
        text = self.setting.facts.help
        return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""

    @property
    def details(self) -> str:
        """Unit, range and default, as one line."""
        facts = self.setting.facts
        notes = [facts.unit, facts.range, f"default {self.default or 'empty'}"]
        return "; ".join(note for note in notes if note)

    @property
    def kind(self) -> str:
        """``variant``, ``choice``, ``switch``, ``number``, ``list`` or ``text``."""
        facts, type_ = self.setting.facts, self.setting.type
        if facts.variants:
            return "variant"
        if facts.choices:
            return "choice"
        if type_ is bool:
            return "switch"
        if typing.get_origin(type_) is tuple:
            return "list"
        return "number" if type_ in (int, float) else "text"

    @property
    def default(self) -> str:
        """The default as text."""
        return to_text(self.setting.default, self.setting.facts)

    @property
    def changed(self) -> bool:
        """Whether it differs from its default."""
        return self.differs_from(self.default)

    def differs_from(self, text: str) -> bool:
        """Whether another text means another value."""
        return self._value(self.text) != self._value(text)

    def _value(self, text: str) -> Any:
        try:
            return self.setting.parse(text.strip())
        except SettingError:
            return text

    def matches(self, words: str) -> bool:
        """Whether all the words occur in its path, label or help."""
        setting = self.setting
        text = f"{setting.path} {self.label} {setting.facts.help} {setting.variant}".casefold()
        return all(word in text for word in words.casefold().split())


def to_text(value: Any, facts: schema.Facts) -> str:
    """A value as it stands in a control; ``Setting.parse`` reads it back."""
    shown = schema.show(value, facts)
    if isinstance(shown, bool):
        return "true" if shown else "false"
    if isinstance(shown, (list, tuple)):
        return ", ".join(to_text(item, facts) for item in shown)
    if isinstance(shown, float):
        return repr(int(shown)) if shown.is_integer() and abs(shown) < 1e15 else repr(shown)
    return str(shown)
