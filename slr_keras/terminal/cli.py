"""What the commands share: flags made from the settings, errors as one line.

Nothing here loads a framework: ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import io
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from slr_keras import config as configs
from slr_keras.errors import (
    ExportError,
    NonFiniteLossError,
    ProcessLostError,
    UserError,
    did_you_mean,
)
from slr_keras.settings import plugins, registry, schema

if TYPE_CHECKING:
    from slr_keras.protocol.channel import Channel

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)
PLUGIN = "plugin"  # the setting, the flag and the key of TOML files
INSTALLED = "slr-keras"  # the command where the package is installed
MODES = ("auto", "bar", "plain", "quiet")
MODES_HELP = "bar for terminals, plain for logs, quiet [auto: bar or plain]"
SOURCED = (
    "attacks",
    "methods",
    "labels",
    "augmentations",
)  # modules whose first line names the source
LISTS = {
    "attacks": "attacks",
    "methods": "methods",
    "labels": "labels",
    "augmentations": "augmentations",
    "corruptions": "corruptions",
    "analyses": "analyses",
    "diagnoses": "diagnoses",
    "models": "models",
    "datasets": "data",
}


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` whose errors are one line and suggest the nearest flag."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage."""
        raise UserError(f"{message} (see {self.prog} --help)")

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Like ``parse_args``, with a suggestion for an unknown flag."""
        namespace, unknown = self.parse_known_args(arguments)
        if unknown:
            flag = unknown[0].split("=")[0]
            hint = did_you_mean(flag, self._option_string_actions) if flag.startswith("-") else ""
            near = hint if "mean" in hint else " See --help."
            raise UserError(f"unknown argument: {unknown[0]}.{near}")
        return namespace


def make_parser(program: str, description: str, **options: Any) -> Parser:
    """A parser for ``python -m slr_keras.<program>``, or ``slr-keras <program>``.

    It takes ``--plugin``. Call :func:`use_plugins` first: flags of own parts are then known.
    """
    installed = os.path.splitext(os.path.basename(sys.argv[0]))[0] == INSTALLED
    parser = Parser(
        prog=f"{INSTALLED} {program}" if installed else f"python -m slr_keras.{program}",
        description=description,
        allow_abbrev=False,
        formatter_class=_Formatter,
        **options,
    )
    facts = configs.RunConfig.__dataclass_fields__[PLUGIN].metadata["facts"]
    parser.add_argument(
        f"--{PLUGIN}",
        action="append",
        default=argparse.SUPPRESS,
        metavar="FILE.py|MODULE",
        help=facts.help,
    )
    return parser


def use_plugins(words: Sequence[str]) -> None:
    """Load the plug-ins that a command line names, itself or in a TOML file, and installed ones.

    What is wrong with installed ones is a warning; those that were named have to hold.

    Raises:
        UserError: see :func:`slr_keras.settings.plugins.use`.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument(f"--{PLUGIN}", action="append", default=[])
    known, rest = parser.parse_known_args(list(words))
    named = [name for word in rest if word.endswith(".toml") for name in _named_in(word)]
    if not named and not known.plugin and not plugins.announced():
        return
    there = "keras" in sys.modules
    with _hushed(unless=lambda: there or "keras" not in sys.modules):
        wrong = plugins.use_installed()
        plugins.use(dict.fromkeys([*named, *known.plugin]))
    for sentence in wrong:
        print(f"warning: {sentence}", file=sys.stderr)


def _named_in(file: str) -> list[str]:
    """What a TOML file says of plug-ins; what is wrong with it is said when it is read."""
    try:
        names = configs.read_toml(pathlib.Path(file)).get(PLUGIN, [])
    except UserError:
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=34, width=100)


def add_settings(parser: Parser, sections: Sequence[str] | None = None) -> None:
    """A flag for every setting of :class:`~slr_keras.config.RunConfig`, grouped by section.

    Args:
        sections: only these; None for all, ``""`` for the settings at the top.
    """
    merged: dict[str, list[schema.Setting]] = {}
    for item in configs.settings():
        if item.path != PLUGIN and (sections is None or item.section in sections):
            merged.setdefault(item.path, []).append(item)
    groups: dict[str, Any] = {}
    for path, items in merged.items():
        section = items[0].section
        if section not in groups:
            groups[section] = parser.add_argument_group(section or "run")
        _add_flag(groups[section], path, items)


def _add_flag(group: Any, path: str, items: list[schema.Setting]) -> None:
    flag = "--" + path.replace("_", "-" if "." not in path else "_")
    names = [flag] if flag == f"--{path}" else [flag, f"--{path}"]
    options: dict[str, Any] = {"dest": path, "default": argparse.SUPPRESS, "help": _help(items)}
    if items[0].type is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        options["metavar"] = items[0].name.upper()
    group.add_argument(*names, **options)


def _help(items: list[schema.Setting]) -> str:
    first = items[0]
    facts = first.facts
    if facts.variants:
        kinds = ", ".join(registry.variants(facts.variants))
        own = ", applications/NAME of keras.applications, a .keras file or a run folder"
        extra = own if facts.variants == "models" else ""
        return f"{_said(facts)}: {kinds}{extra} [{first.default}]"
    owners = [item.variant for item in items if item.variant]
    default = schema.show(first.default, facts)
    notes = [", ".join(facts.choices), facts.unit, facts.range, ", ".join(owners)]
    notes.append(f"default {'none' if default in ('', []) else _plain(default)}")
    return f"{_said(facts)} [{'; '.join(note for note in notes if note)}]".replace("%", "%%")


def _said(facts: schema.Facts) -> str:
    """What a person calls the setting, as the window has it, and what it does."""
    return f"{facts.label}: {facts.help}" if facts.label else facts.help


def _plain(default: Any) -> str:
    return ",".join(map(str, default)) if isinstance(default, list) else str(default)


def values_of(namespace: argparse.Namespace) -> dict[str, Any]:
    """The flags that were given, as nested values for :func:`slr_keras.config.load`."""
    types = {item.path: item.type for item in configs.settings()}
    values: dict[str, Any] = {}
    for path, text in vars(namespace).items():
        if path not in types:
            continue
        *sections, name = path.split(".")
        table = values
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = schema.from_text(types[path], text) if isinstance(text, str) else text
    return values


def add_lists(parser: Parser) -> None:
    """``--list`` and ``--list-presets``."""
    parser.add_argument("--list", choices=LISTS, metavar="|".join(LISTS), help="list what there is")
    parser.add_argument("--list-presets", action="store_true", help="list the presets")


def answer_lists(namespace: argparse.Namespace) -> bool:
    """Print a list if one was asked for."""
    if namespace.list_presets:
        for name in configs.preset_names():
            print(f"{name:28} {_first_line((configs.PRESETS / f'{name}.toml').read_text())}")
        return True
    if namespace.list:
        for name, cls in registry.variants(LISTS[namespace.list]).items():
            ships = cls.__module__.startswith(registry.HOME)
            described = sys.modules[cls.__module__] if ships and namespace.list in SOURCED else cls
            print(f"{name:28} {_first_line(described.__doc__ or '')}")
        return True
    return False


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].lstrip("# ").rstrip()


def import_framework(work: str = "") -> None:
    """Import Keras and its backend without the native libraries' chatter on stderr.

    ``work`` is :func:`slr_keras.backend.warm_up`'s. Keras's own imports of scikit-learn and
    matplotlib, for parts that no command uses, and Python's search for garbage among half a
    million objects that stay take almost half of the time, so they are left out.
    """
    from slr_keras import backend

    with _hushed(), contextlib.ExitStack() as stack:
        if "keras" not in sys.modules:
            stack.enter_context(_without("sklearn", "matplotlib"))
            stack.enter_context(_no_garbage())
        backend.warm_up(work)


@contextlib.contextmanager
def _without(*names: str) -> Iterator[None]:
    """These packages, where nobody imported them yet, are not found."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """No garbage collection, and what there is afterwards is never looked through again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def _hushed(unless: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Keep what is said on stderr, also by native code; it is passed on after a failure."""
    import tempfile

    sys.stderr.flush()
    kept, failed = os.dup(2), True
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            if failed or unless():
                chatter.seek(0)
                os.write(kept, chatter.read())
            os.dup2(kept, 2)
            os.close(kept)


def failure(error: BaseException) -> tuple[int, str] | None:
    """Exit code and sentence of an error that is no defect of ours; None for all others."""
    if isinstance(error, UserError):
        return 2, str(error)
    if isinstance(error, (NonFiniteLossError, ProcessLostError, ExportError)):
        return 1, str(error)
    if isinstance(error, OSError) and error.errno in DISK:
        what = f"cannot write {error.filename}" if error.filename else "cannot write"
        return 1, f"{what}: {error.strerror}"
    return None


def run(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> int:
    """Call a job's ``main``; bad input is one line on stderr and exit code 2.

    Returns:
        0 done, 1 failed (disk, non-finite loss), 2 bad input, 75 out of time, 130 or 143 stopped
        by a signal.
    """
    _let_readers_leave()
    try:
        return main(arguments)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        known = failure(error)
        if known is None:
            raise
        code, sentence = known
        print(f"error: {sentence}", file=sys.stderr)
        return code


def add_window(parser: argparse.ArgumentParser) -> None:
    """``--progress json`` for a command that has no other progress to show."""
    modes = ("auto", "json")
    parser.add_argument("--progress", choices=modes, default="auto", help="json for a window")


def check_numbers(options: argparse.Namespace, lowest: Mapping[str, int]) -> None:
    """Raise :class:`UserError` unless the flags of these names are whole numbers from ``lowest``
    on, or left out."""
    for name, low in lowest.items():
        number = getattr(options, name)
        if number is not None and not low <= number < 2**31:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag}: expected a whole number >= {low}, received {number}")


def wants_json(words: Sequence[str]) -> bool:
    """Whether a window has started this command: ``--progress json``."""
    return "--progress=json" in words or ("--progress", "json") in zip(
        words, words[1:], strict=False
    )


def through_channel(
    program: str, words: Sequence[str], command: Callable[[Sequence[str], Channel], int]
) -> int:
    """A command for a window: events on stdout, commands on stdin, errors as an event too."""
    from slr_keras.protocol import events
    from slr_keras.protocol.channel import Channel

    with Channel.open(program) as channel:
        try:
            return command(words, channel)
        except Exception as error:
            _, sentence = failure(error) or (1, f"{type(error).__name__}: {error}")
            channel.send(events.Failed(sentence))
            raise


class _Stream(io.FileIO):
    """Where what cannot be written is dropped; it fails once, unless a reader has left."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:  # from now on nowhere: Python's last flush would fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if not isinstance(error, BrokenPipeError):
                raise
            return len(data)


def _let_readers_leave() -> None:
    """A reader of stdout or stderr that leaves, as ``head`` does, is no failure of the job."""
    if os.name != "posix":
        return
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream is getattr(sys, f"__{name}__"):  # else it is a test's
            buffer = io.BufferedWriter(_Stream(stream.fileno(), "w", closefd=False))
            options = {"encoding": stream.encoding, "errors": stream.errors}
            setattr(sys, name, io.TextIOWrapper(buffer, **options, line_buffering=True))
