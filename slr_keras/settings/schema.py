"""Settings: a fact about a field is stated once, on the field.

A settings class is a frozen dataclass that derives from :class:`Settings`; its fields are
made with :func:`setting`. Flags, TOML keys, the help text, range checks and the app's form
are all derived from one :func:`walk` over such classes.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Ball(Settings):
    ...     eps: float = setting(8 / 255, help="radius", unit=PIXELS, at_least=0)
    >>> Ball(eps="4/255").eps * 255
    4.0
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slr_keras.errors import SettingError, did_you_mean

PIXELS = "pixels in [0, 1], as 8/255"
_FRACTION = re.compile(r"\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*/\s*([\d.]+)\s*", re.IGNORECASE)
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}
_PLAIN = {kind.__name__: kind for kind in _WORDS}  # annotations that need no scope to be read


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of one setting beside its type and default.

    ``label`` is what a person would call it; empty where its name says that already.
    ``picks`` says what a text may be chosen with: ``"folder"``, or ``"path"`` for a file or folder.
    """

    help: str
    label: str = ""
    unit: str = ""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: Sequence[str] = ()
    variants: str = ""
    picks: str = ""

    @property
    def range(self) -> str:
        """The range as people write it: ``">= 0, <= 1"``; empty when there is none."""
        bounds = ((">=", self.at_least), (">", self.above), ("<=", self.at_most), ("<", self.below))
        return ", ".join(f"{sign} {bound:.12g}" for sign, bound in bounds if bound is not None)

    def admits(self, number: float) -> bool:
        """Whether a number lies in the range."""
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )


def setting(default: Any, *, help: str, **facts: Any) -> Any:
    """A dataclass field with everything that users are told about it.

    Args:
        default: the default value; a :class:`Settings` instance makes a section.
        help: one sentence, lower case, no full stop.
        facts: the other fields of :class:`Facts`.
    """
    metadata = {"facts": Facts(help=help, **facts)}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One leaf of the tree: where it is, its type, its default and its facts.

    ``variant`` names the variant that has the setting; empty where all have it.
    """

    path: str
    type: Any
    default: Any
    facts: Facts
    variant: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def label(self) -> str:
        """What a person would call it: ``"Batch size"``."""
        words = self.name.replace("_", " ")
        return self.facts.label or f"{words[:1].upper()}{words[1:]}"

    @property
    def section(self) -> str:
        """All but the last part of the path; empty at the top."""
        return self.path.rpartition(".")[0]

    def parse(self, text: str) -> Any:
        """A value from a flag's text; raises :class:`SettingError` naming the flag."""
        return check(self.path, self.type, self.facts, from_text(self.type, text))


class Settings:
    """Base of every settings dataclass: checks and normalises each field when made.

    Raises:
        SettingError: a value of the wrong type or out of range.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            facts = field.metadata.get("facts")
            if facts is None or facts.variants:
                continue
            value = getattr(self, field.name)
            if not isinstance(value, Settings):
                value = check(field.name, field_type(type(self), field.name), facts, value)
                object.__setattr__(self, field.name, value)
        self.validate()

    def validate(self) -> None:
        """Checks across fields; a subclass raises :class:`SettingError`."""

    def replace(self, **changes: Any) -> typing.Self:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]


class Variant(Settings):
    """Settings that are one of several of their kind, told apart by ``name``.

    Attributes:
        of_kind: the kind, one of :data:`slr_keras.settings.registry.KINDS`; its base class says it.
        gives: what a class of the kind has to define.
    """

    name: typing.ClassVar[str] = ""
    of_kind: typing.ClassVar[str] = ""
    gives: typing.ClassVar[tuple[str, ...]] = ()


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def field_type(cls: Any, name: str) -> Any:
    """The resolved annotation of a field."""
    written = cls.__dataclass_fields__[name].type
    return _PLAIN[written] if written in _PLAIN else _hints(cls)[name]


def check(path: str, kind: Any, facts: Facts, value: Any) -> Any:
    """``value`` as the declared type and in range, or a :class:`SettingError`."""
    if isinstance(kind, types.GenericAlias) and typing.get_origin(kind) is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise SettingError(path, f"expected a list, received {value!r}")
        return tuple(check(path, typing.get_args(kind)[0], facts, item) for item in value)
    value = _as_type(path, kind, facts, value)
    if facts.choices and value not in facts.choices:
        raise SettingError(
            path,
            f"expected one of {', '.join(facts.choices)}, received {value!r}."
            + (did_you_mean(value, facts.choices) if isinstance(value, str) else ""),
        )
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and not (_is_finite(value) and facts.admits(value)):
        unit = f" ({facts.unit})" if facts.unit else ""
        wanted = facts.range or "finite"
        raise SettingError(path, f"expected {_WORDS[kind]} {wanted}{unit}, received {value!r}")
    return value


def _is_finite(number: float) -> bool:
    """Whether a number is one that computers hold: no NaN, no infinity, no endless integer."""
    return abs(number) < 2**63 if isinstance(number, int) else math.isfinite(number)


def _as_type(path: str, kind: type, facts: Facts, value: Any) -> Any:
    if kind is float and isinstance(value, str):
        value = number(value)
    if kind is float and type(value) is int:
        value = (
            float(value) if _is_finite(value) else math.copysign(math.inf, 1 if value > 0 else -1)
        )
    if hasattr(value, "item") and not isinstance(value, (str, int, float)):
        value = value.item() if getattr(value, "ndim", 1) == 0 else value
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
        unit = f" ({facts.unit})" if facts.unit else ""
        raise SettingError(path, f"expected {_WORDS[kind]}{unit}, received {value!r}")
    return value


def number(text: str) -> Any:
    """A number from ``"0.03"`` or ``"8/255"``; the text itself when it is neither."""
    fraction = _FRACTION.fullmatch(text)
    try:
        if fraction:
            return float(fraction[1]) / float(fraction[2])
        return float(text)
    except (ValueError, ZeroDivisionError):
        return text


def from_text(kind: Any, text: str) -> Any:
    """A flag's text as the plain value that TOML would hold; lists are split at commas."""
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return tuple(from_text(item, part.strip()) for part in text.split(",") if part)
    if kind is bool and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if kind is int:
        try:
            return int(text)
        except ValueError:
            return text
    return text


def show(value: Any, facts: Facts) -> Any:
    """A value as TOML and the help text write it: pixel distances as ``"8/255"``.

    Whole levels, and others where the fraction is no longer than the number: a radius of 0.5, as
    L2 has it, stays 0.5.
    """
    if isinstance(value, tuple):
        return [show(item, facts) for item in value]
    if facts.unit == PIXELS and isinstance(value, float) and value:
        levels = f"{round(value * 255, 3):.12g}"
        whole = value < 1 and levels.isdigit()
        short = whole or len(f"{levels}/255") <= len(repr(value))
        if short and float(levels) / 255 == value:
            return f"{levels}/255"
    return value


def walk(
    cls: type, variants: Any, prefix: str = "", like: Any = None, variant: str = ""
) -> Iterator[Setting]:
    """Every setting below a settings class, once per variant that has it.

    Args:
        cls: a settings dataclass.
        variants: function from a kind (``"attacks"``) to ``{name: settings class}``; a field
            that declares ``variants=kind`` is a section whose class is chosen by its ``name``.
            The default variant comes first.
        prefix: put before every path.
        like: an instance of ``cls`` whose values are the defaults, where they differ.
        variant: the variant that ``cls`` is.
    """
    for field in dataclasses.fields(cls):
        facts: Facts | None = field.metadata.get("facts")
        if facts is None:
            continue
        path, default = f"{prefix}{field.name}", getattr(like, field.name, field.default)
        if facts.variants:
            yield Setting(f"{path}.name", str, default.name, facts)
            known = variants(facts.variants)
            for name in sorted(known, key=lambda name: name != default.name):
                shown = default if name == default.name else None
                yield from walk(known[name], variants, f"{path}.", shown, name)
        elif isinstance(default, Settings):
            yield from walk(type(default), variants, f"{path}.", default, variant)
        else:
            yield Setting(path, field_type(cls, field.name), default, facts, variant)


def to_dict(settings: Any) -> dict[str, Any]:
    """Nested plain values (what TOML and JSON hold), section classes by their ``name``."""
    result: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        facts = field.metadata.get("facts")
        if facts is None:
            continue
        value = getattr(settings, field.name)
        if not isinstance(value, Settings):
            result[field.name] = show(value, facts)
        else:
            head = {"name": value.name} if isinstance(value, Variant) else {}
            result[field.name] = head | to_dict(value)
    return result


def from_dict(
    cls: type, values: Mapping[str, Any], variants: Any, prefix: str = "", like: Any = None
) -> Any:
    """The inverse of :func:`to_dict`; what is missing comes from ``like`` or its default.

    Raises:
        SettingError: an unknown key (the nearest one is suggested), a value of the wrong
            type or out of range; its ``path`` is the full dotted name.
    """
    if not isinstance(values, Mapping):
        raise SettingError(prefix.rstrip("."), f"expected a table of settings, received {values!r}")
    fields = {f.name: f for f in dataclasses.fields(cls) if "facts" in f.metadata}
    arguments: dict[str, Any] = {name: getattr(like, name) for name in fields} if like else {}
    for key, value in values.items():
        if key not in fields:
            known = {*fields, "name"} if issubclass(cls, Variant) else fields
            raise SettingError(f"{prefix}{key}", f"unknown setting.{did_you_mean(key, known)}")
        facts = fields[key].metadata["facts"]
        default = getattr(like, key, fields[key].default)
        if facts.variants:
            value = _variant(facts, default, value, variants, f"{prefix}{key}.")
        elif isinstance(default, Settings):
            value = from_dict(type(default), value, variants, f"{prefix}{key}.", default)
        arguments[key] = value
    try:
        return cls(**arguments)
    except SettingError as error:
        if error.path.startswith(prefix) and prefix:
            raise
        raise SettingError(f"{prefix}{error.path}", error.message) from None


def _variant(facts: Facts, default: Any, value: Any, variants: Any, prefix: str) -> Any:
    if not isinstance(value, Mapping):
        raise SettingError(prefix.rstrip("."), f"expected a table of settings, received {value!r}")
    known = variants(facts.variants)
    name = value.get("name", default.name)
    if not isinstance(name, str):
        raise SettingError(f"{prefix}name", f"expected a text, received {name!r}")
    if name not in known:
        raise SettingError(f"{prefix}name", f"unknown: {name!r}.{did_you_mean(name, known)}")
    rest = {key: item for key, item in value.items() if key != "name"}
    like = default if type(default) is known[name] else None
    return from_dict(known[name], rest, variants, prefix, like)
