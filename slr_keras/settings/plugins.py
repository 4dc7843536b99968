"""One's own parts: variants of a Python file or of an installed package, beside those that ship.

A plug-in is a file, ``my_parts.py``, or a module, ``package.module``, that defines variants with
what :mod:`slr_keras.plugin` gives. Its code runs only when somebody names it (``--plugin``, a key
of their TOML file, an installed package's entry point): never because it lies in a run folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import glob
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from slr_keras.errors import UserError
from slr_keras.settings import registry, schema

GROUP = "slr_keras.plugins"  # entry points by which installed packages announce themselves
INFO = "*-[Ii][Nn][Ff][Oo]"  # folders of installed packages: .dist-info, .egg-info, EGG-INFO
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
LEVEL = 12  # digits of a digest that are shown


@dataclasses.dataclass(frozen=True)
class Plugin:
    """A plug-in that is loaded.

    Attributes:
        name: as it was given: a path, or a module.
        module: what was executed.
        file: where its source is.
        source: the bytes that were executed, or of the module's file.
        installed: it announced itself.
    """

    name: str
    module: types.ModuleType
    file: pathlib.Path
    source: bytes
    installed: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the source."""
        return digest(self.source)

    @property
    def parts(self) -> list[Any]:
        """The variants that it defines."""
        values = vars(self.module).values()
        return [v for v in values if registry.is_variant(v, self.module.__name__)]


_loaded: dict[str, Plugin] = {}


def digest(source: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    import hashlib

    return hashlib.sha256(source).hexdigest()


def loaded() -> list[Plugin]:
    """The plug-ins of this process, in the order in which they came."""
    return list(_loaded.values())


def forget() -> None:
    """Be without plug-ins again."""
    _loaded.clear()
    registry.own({})


def use(names: Iterable[str]) -> list[Plugin]:
    """Load plug-ins, and let their parts stand beside those that ship.

    A file that is loaded already and has not changed stays as it is.

    Args:
        names: paths of Python files, or modules.

    Raises:
        UserError: no such file or module, code that fails, or a part that does not hold. Nothing
            of what was there before has changed then.
    """
    before = dict(_loaded)
    try:
        return [_use(name, installed=False) for name in names]
    except UserError:
        _loaded.clear()
        _loaded.update(before)
        _register()
        raise


def use_installed() -> list[str]:
    """Load the plug-ins of installed packages; returns what is wrong with some, a sentence each."""
    wrong = []
    for name in announced():
        try:
            if name not in _loaded:
                _use(name, installed=True)
        except UserError as error:
            _loaded.pop(name, None)
            _register()
            wrong.append(f"a plug-in that is installed is left out: {error}")
    return wrong


@functools.cache
def announced() -> list[str]:
    """The modules that installed packages announce."""
    if not _may_be_announced():
        return []
    import importlib.metadata

    return [point.value for point in importlib.metadata.entry_points(group=GROUP)]


def _may_be_announced() -> bool:
    """Whether some installed package names the group.

    Python's own search has to be imported first, which takes a fifth of the time of ``--help``.
    All is left to it where packages lie in archives or come from another finder.
    """
    others = [finder for finder in sys.meta_path if finder is not importlib.machinery.PathFinder]
    if any(hasattr(finder, "find_distributions") for finder in others):
        return True
    if any(map(os.path.isfile, sys.path)):
        return True
    return any(GROUP.encode() in text for place in sys.path for text in _entry_points(place))


def _entry_points(place: str) -> Iterator[bytes]:
    """What the packages that are installed in a folder announce."""
    for file in glob.iglob(os.path.join(glob.escape(place), INFO, "entry_points.txt")):
        with contextlib.suppress(OSError):
            yield pathlib.Path(file).read_bytes()


def _use(name: str, installed: bool) -> Plugin:
    plugin = dataclasses.replace(_read(name), installed=installed)
    there = _loaded.get(plugin.module.__name__)
    if there is not None and there.file == plugin.file and there.source == plugin.source:
        return there
    if there is not None and there.file != plugin.file:
        raise UserError(
            f"{name}: {there.name} is loaded and has the same name; rename one of the two files"
        )
    _execute(plugin)
    _loaded[plugin.module.__name__] = plugin
    _register()
    return plugin


# -- reading and executing --------------------------------------------------------------------


def _read(name: str) -> Plugin:
    """The plug-in behind a name, not yet executed where it is a file."""
    if "://" in name:
        raise UserError(f"--plugin {name}: expected a file of this machine; download and read it")
    path = pathlib.Path(name)
    if path.is_dir():
        raise UserError(f"--plugin {name}: expected a Python file or a module, received a folder")
    if path.suffix == ".py" or path.is_file():
        return _file(name, path)
    if not MODULE.fullmatch(name):
        raise UserError(f"--plugin {name}: no such file")
    return _module(name)


def _file(name: str, path: pathlib.Path) -> Plugin:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UserError(f"--plugin {name}: {error.strerror}") from None
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise UserError(
            f"--plugin {name}: expected a file like my_parts.py, of letters, digits and underscores"
        )
    module = types.ModuleType(f"slr_plugin_{path.stem}")
    module.__file__ = str(path.resolve())
    return Plugin(name, module, path.resolve(), source)


def _module(name: str) -> Plugin:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.origin or not found.origin.endswith(".py"):
        raise UserError(f"--plugin {name}: no such file, and no such module that can be imported")
    path = pathlib.Path(found.origin)
    return Plugin(name, types.ModuleType(name), path, path.read_bytes())


def _execute(plugin: Plugin) -> None:
    """Run the code, into a module that stands in ``sys.modules``, then look at its parts."""
    known = set(sys.modules)
    try:
        if plugin.name == plugin.module.__name__:
            object.__setattr__(plugin, "module", importlib.import_module(plugin.name))
        else:
            sys.modules[plugin.module.__name__] = plugin.module
            exec(compile(plugin.source, str(plugin.file), "exec"), vars(plugin.module))
    except (Exception, SystemExit) as error:
        for name in set(sys.modules) - known:
            if name == plugin.module.__name__:
                del sys.modules[name]
        raise UserError(f"--plugin {plugin.name}: {_said(error, plugin.file)}") from error
    for part in plugin.parts:
        _check(plugin, part)


def _said(error: BaseException, file: pathlib.Path) -> str:
    """What went wrong, with the line of the plug-in."""
    import traceback

    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    where = f"line {lines[-1]}: " if lines else ""
    text = (str(error).strip().splitlines() or [""])[0]
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return f"{where}{kind}{text}".rstrip(": ")


# -- what a part has to be --------------------------------------------------------------------


def _check(plugin: Plugin, part: Any) -> None:
    """Raise :class:`UserError` unless a class can stand beside those that ship."""

    def wrong(text: str) -> UserError:
        return UserError(f"--plugin {plugin.name}: {part.__name__}: {text}")

    if part.of_kind not in registry.KINDS:
        raise wrong("expected a base class of slr_keras.plugin, as Model or Attack")
    if not re.fullmatch(r"[a-z][\w-]*", part.name):
        raise wrong(f"name: expected small letters, digits and _, received {part.name!r}")
    parameters = vars(part).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        raise wrong("expected @dataclasses.dataclass(frozen=True) above the class")
    base = kind_base(part)
    for name in part.gives:
        if getattr(part, name) is getattr(base, name):
            raise wrong(f"gives no {name}(), which each {registry.singular(part.of_kind)} needs")
    inherited = {field.name for field in dataclasses.fields(base)} if _is_data(base) else set()
    for field in dataclasses.fields(part):
        if field.name not in inherited and (field.name == "name" or hasattr(base, field.name)):
            raise wrong(f"{field.name}: a setting cannot be called like this, take another name")
        if "facts" not in field.metadata:
            raise wrong(
                f"{field.name}: expected setting(default, help=...), as slr_keras.plugin has"
            )
        _check_default(wrong, part, field)


def _check_default(wrong: Any, part: Any, field: Any) -> None:
    facts = field.metadata["facts"]
    if facts.variants or isinstance(field.default, schema.Settings):
        return
    try:
        schema.check(field.name, schema.field_type(part, field.name), facts, field.default)
    except (UserError, NameError, KeyError) as error:
        raise wrong(f"its default: {error}") from None


def _is_data(cls: Any) -> bool:
    return dataclasses.is_dataclass(cls)


def kind_base(part: Any) -> Any:
    """The base class of the kind of a part: the one that says ``of_kind`` itself."""
    return next(cls for cls in part.__mro__ if vars(cls).get("of_kind") == part.of_kind)


def _register() -> None:
    """Put the parts of all plug-ins into the registry.

    Raises:
        UserError: two parts of a kind have one name.
    """
    found: dict[str, dict[str, Any]] = {}
    owners: dict[tuple[str, str], str] = {}
    for plugin in _loaded.values():
        for part in plugin.parts:
            kind, name = part.of_kind, part.name
            owner = owners.get((kind, name))
            if owner is None and name in registry.shipped(kind):
                owner = "slr_keras"
            if owner is not None:
                raise UserError(
                    f"--plugin {plugin.name}: {part.__name__}: {owner} has "
                    f"{_article(registry.singular(kind))} called {name!r} already; rename it"
                )
            owners[kind, name] = plugin.name
            found.setdefault(kind, {})[name] = part
    registry.own(found)


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


# -- of a run ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Record:
    """A plug-in that a run was made with: its name, its digest and the copy in the run folder."""

    name: str
    sha256: str
    copy: str

    @classmethod
    def of(cls, plugin: Plugin) -> Record:
        """What is kept of a plug-in that is loaded."""
        place = pathlib.PurePosixPath("plugins", plugin.digest[:LEVEL], plugin.file.name)
        return cls(plugin.name, plugin.digest, str(place))

    def is_of(self, plugin: Plugin) -> bool:
        """Whether a plug-in is this one, in whatever version: a module or file of the same name."""
        own = pathlib.PurePath(self.name)
        return plugin.file.name == own.name if own.suffix == ".py" else plugin.name == self.name

    def obstacle(self) -> str:
        """Why it is not loaded by itself again; empty if it is."""
        path = pathlib.Path(self.name)
        is_file = path.suffix == ".py"
        if is_file and not path.is_file():
            return "is not there any more"
        if is_file and _in_run_folder(path):
            return "lies in a run folder, from which nothing is executed by itself"
        return "has changed since" if _read(self.name).digest != self.sha256 else ""

    @classmethod
    def read(cls, table: Any) -> Record:
        """From a table of plain values; raises ValueError if it is none."""
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            raise ValueError("expected a table of texts")
        try:
            return cls(**table)
        except TypeError:
            raise ValueError("expected name, sha256 and copy") from None


def _in_run_folder(path: pathlib.Path) -> bool:
    return any((parent / "config.toml").is_file() for parent in path.resolve().parents)


def needed(names: Sequence[str], used: Iterable[tuple[str, str]]) -> list[Plugin]:
    """The plug-ins of a run: those it names, and installed ones of which it uses a part.

    Args:
        names: what its configuration names.
        used: (kind, name) of the variants of its configuration.
    """
    there, files = set(used), {pathlib.Path(name).resolve() for name in names}
    return [
        plugin
        for plugin in loaded()
        if plugin.name in names
        or plugin.file in files
        or (plugin.installed and any((p.of_kind, p.name) in there for p in plugin.parts))
    ]
