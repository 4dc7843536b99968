"""What can be wrong before there is a window, said in a sentence; Qt itself would abort.

Nothing is imported from Qt until it is known to be there and of a version that works.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import pathlib
import socket
import struct
import sys
from collections.abc import Mapping, Sequence

from slr_keras import installing

OLDEST, NEWEST = (3, 10), (3, 13)  # TensorFlow has no build for others; pyproject.toml says so too
NEEDED = {
    "PySide6": "PySide6-Essentials",
    "pyqtgraph": "pyqtgraph",
    "numpy": "numpy",
    "psutil": "psutil",
}
BAD = ((6, 9, 1), (6, 9, 2), (6, 10, 1), (6, 11, 0), (6, 11, 1))  # PySide6 that loses objects
ABORTS_OLD_PYTHON = (6, 12, 0)  # loses references to None, which Python 3.12 made immortal
INSTALL = f"python -m {installing.command('app')}"
DEBIAN = (
    "libegl1 libgl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 "
    "libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-randr0 libxcb-xkb1 libx11-xcb1 "
    "libwayland-cursor0 fonts-dejavu-core"
)
SYNC = struct.pack("=III", 1, 12 << 16, 2)  # wl_display.sync: object, size and request, new object
PATIENCE = 10.0  # seconds for the compositor's answer
SILENT = "accepts connections and says nothing"
LIBRARIES = f"On Debian and Ubuntu: apt-get install {DEBIAN}"


def problem(argv: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> str:
    """Why no window can be opened, and what to do; empty if nothing is known against it."""
    environ = os.environ if environ is None else environ
    checks = (_python, _packages, _version, _libraries)
    for check in checks:
        if found := check():
            return found
    return _display(argv, environ) if sys.platform.startswith(("linux", "freebsd")) else ""


def without_display() -> str:
    """Why the app cannot even draw where nobody looks (``QT_QPA_PLATFORM=offscreen``)."""
    return _packages() or _version() or _libraries() or _plugin("libqoffscreen.so")


def _python() -> str:
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return ""
    span = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    this = sys.version.split()[0]
    return f"Python {span} is needed, this is {this}. Another: make PYTHON=python3.13 app"


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
    """What speaks against every platform that Qt would try, in its order."""
    found = []
    for platform in _platforms(argv, environ):
        if not platform.startswith(("xcb", "wayland")):
            return ""
        against = _x_server(environ) if platform == "xcb" else _wayland(environ)
        if not against or SILENT in against:  # Qt would wait, and never try the next
            return against
        found.append(against)
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return " ".join(found)
    return (
        "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set). Start it from a "
        "desktop session, through ssh -X, or under a virtual display: xvfb-run python main.py"
    )


def _platforms(argv: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    asked = environ.get("QT_QPA_PLATFORM", "")
    for flag, value in zip(argv[:-1], argv[1:], strict=True):
        if flag in ("-platform", "--platform"):
            asked = value
    if asked:
        return [platform.split(":")[0] for platform in asked.split(";")]
    wayland = "WAYLAND_DISPLAY" in environ or environ.get("XDG_SESSION_TYPE") == "wayland"
    return ["wayland", "xcb"] if wayland else ["xcb"]


def _plugin(file: str) -> str:
    """What hinders Qt's plugin from being loaded as Qt would."""
    from PySide6.QtCore import QLibraryInfo

    folder = pathlib.Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath), "platforms")
    try:
        ctypes.CDLL(str(folder / file))
    except OSError as error:
        return f"Qt cannot open a window: {error}. {LIBRARIES}"
    return ""


def _x_server(environ: Mapping[str, str]) -> str:
    """Knock at the X server; Qt aborts where this fails."""
    display = environ.get("DISPLAY", "")
    if not display:
        return "DISPLAY is not set; without a display use: xvfb-run python main.py"
    if against := _plugin("libqxcb.so"):
        return against
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if not refused:
        return ""
    return f"The display {display} does not answer. Check DISPLAY, or use: xvfb-run python main.py"


def _wayland(environ: Mapping[str, str]) -> str:
    """Send the compositor a request and wait for its answer."""
    if against := _plugin("libqwayland.so"):
        return against
    if environ.get("WAYLAND_SOCKET"):  # a connection that was handed over, and is Qt's
        return ""
    name = environ.get("WAYLAND_DISPLAY", "wayland-0")
    folder = environ.get("XDG_RUNTIME_DIR", "")
    if not folder and not name.startswith("/"):
        return f"The Wayland display {name} cannot be found: XDG_RUNTIME_DIR is not set."
    path = os.path.join(folder, name)
    try:
        with socket.socket(socket.AF_UNIX) as compositor:
            compositor.settimeout(PATIENCE)
            compositor.connect(path)
            compositor.sendall(SYNC)
            answer = compositor.recv(len(SYNC))
    except TimeoutError:
        return f"The Wayland display {path} {SILENT}. To use X: QT_QPA_PLATFORM=xcb python main.py"
    except OSError as error:
        return f"The Wayland display {path} does not answer ({error.strerror or error})."
    return "" if answer else f"The Wayland display {path} hangs up."
