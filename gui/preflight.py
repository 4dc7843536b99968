"""What can be wrong before there is a window, said in a sentence; Qt itself would abort.

Nothing is imported from Qt until it is known to be there and of a version that works.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

NEEDED = {
    "PySide6": "PySide6-Essentials",
    "pyqtgraph": "pyqtgraph",
    "numpy": "numpy",
    "psutil": "psutil",
}
BAD = ((6, 9, 1), (6, 9, 2), (6, 10, 1), (6, 11, 0), (6, 11, 1))  # PySide6 that loses objects
ABORTS_OLD_PYTHON = (6, 12, 0)  # loses references to None, which Python 3.12 made immortal
INSTALL = "python -m pip install -r requirements.txt"
DEBIAN = (
    "libegl1 libgl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 "
    "libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-randr0 libxcb-xkb1 libx11-xcb1 "
    "fonts-dejavu-core"
)
LIBRARIES = f"On Debian and Ubuntu: apt-get install {DEBIAN}"


def problem(argv: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> str:
    """Why no window can be opened, and what to do; empty if nothing is known against it."""
    environ = os.environ if environ is None else environ
    checks = (_python, _packages, _version, _libraries)
    for check in checks:
        if found := check():
            return found
    return _display(argv, environ) if sys.platform.startswith(("linux", "freebsd")) else ""


def _python() -> str:
    if sys.version_info >= (3, 10):  # noqa: UP036  (the reader may have an older one)
        return ""
    return f"Python 3.10 or newer is needed, this is {sys.version.split()[0]}."


def _packages() -> str:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    verb = "is" if len(missing) == 1 else "are"
    return f"{' and '.join(missing)} {verb} not installed. Run: {INSTALL}"


def _version() -> str:
    text = _installed()
    version = tuple(int(part) for part in text.split(".")[:3] if part.isdigit())
    python = sys.version_info[:2]
    if version == ABORTS_OLD_PYTHON and python < (3, 12):
        why = f"aborts under Python {python[0]}.{python[1]}"
    elif version in BAD:
        why = "is known to crash"
    else:
        return ""
    return f'PySide6 {text} {why}. Run: python -m pip install "PySide6-Essentials>=6.11.2,<6.12"'


def _installed() -> str:
    for package in ("PySide6-Essentials", "PySide6"):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def _libraries() -> str:
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        return f"Qt cannot be loaded: {error}. {LIBRARIES}"
    return ""


def _display(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    platform = _platform(argv, environ)
    if platform not in ("", "xcb", "wayland"):
        return ""
    has_x, has_wayland = bool(environ.get("DISPLAY")), bool(environ.get("WAYLAND_DISPLAY"))
    if platform == "xcb":
        has_wayland = False
    if platform == "wayland":
        has_x = False
    if not has_x and not has_wayland:
        return (
            "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set). Start it from a "
            "desktop session, through ssh -X, or under a virtual display: xvfb-run python main.py"
        )
    return "" if has_wayland else _x_server(environ["DISPLAY"])


def _platform(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    for flag, value in zip(argv[:-1], argv[1:], strict=True):
        if flag in ("-platform", "--platform"):
            return value.split(":")[0].split(";")[0]
    return environ.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]


def _x_server(display: str) -> str:
    """Load Qt's plugin as Qt would and knock at the X server; Qt aborts where this fails."""
    from PySide6.QtCore import QLibraryInfo

    folder = pathlib.Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath), "platforms")
    try:
        ctypes.CDLL(str(folder / "libqxcb.so"))
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError as error:
        return f"Qt cannot open a window: {error}. {LIBRARIES}"
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if not refused:
        return ""
    return f"The display {display} does not answer. Check DISPLAY, or use: xvfb-run python main.py"
