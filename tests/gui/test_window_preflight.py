"""What is said before there is a window, instead of an abort."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading

import pytest

from gui import preflight
from gui.worker import ROOT
from tests.processes import finished

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems have a display"
)


def run_main(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("QT_QPA_PLATFORM", "DISPLAY")}
    kept.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, str(ROOT / "main.py"), *arguments]
    return finished(command, 60, env=kept | environ)


def test_help_needs_no_qt():
    code = "import sys; sys.argv = ['main.py', '--help']\n" + (
        "from gui.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'PySide6', 'pyqtgraph', 'numpy'} & set(sys.modules)"
    )
    done = finished([sys.executable, "-c", code], 60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "--runs DIR" in done.stdout


@linux
def test_without_a_display_there_is_a_sentence():
    done = run_main()
    assert done.returncode == 2
    assert done.stderr.startswith("error: There is no display") and "xvfb-run" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@linux
def test_with_a_display_that_does_not_answer():
    done = run_main(DISPLAY=":7654")
    assert done.returncode == 2
    assert "The display :7654 does not answer" in done.stderr or "apt-get" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@linux
@pytest.mark.parametrize(
    ("argv", "environ", "fine"),
    [
        ([], {"QT_QPA_PLATFORM": "offscreen"}, True),
        (["-platform", "offscreen"], {}, True),
        (["-platform", "vnc:size=800x600"], {}, True),
        (["-platform", "wayland;offscreen"], {}, True),
        (["-platform", "xcb"], {}, False),
        ([], {}, False),
    ],
)
def test_which_platforms_need_a_display(argv, environ, fine):
    assert (preflight.problem(argv, environ) == "") is fine


@pytest.fixture
def compositor(tmp_path):
    """Starts a Wayland compositor that does with each connection what it is told."""
    sockets = []

    def start(then, name="wayland-7"):
        sockets.append(socket.socket(socket.AF_UNIX))
        sockets[0].bind(str(tmp_path / name))
        sockets[0].listen()

        def serve():
            with contextlib.suppress(OSError):
                sockets.append(sockets[0].accept()[0])
                then(sockets[1])

        threading.Thread(target=serve, daemon=True).start()
        return {"XDG_RUNTIME_DIR": str(tmp_path), "WAYLAND_DISPLAY": name}

    yield start
    for one in reversed(sockets):
        one.close()


def answers(connection):
    request = struct.unpack("=III", connection.recv(12))
    assert request == (1, 12 << 16, 2)  # wl_display.sync
    connection.sendall(struct.pack("=III", 2, 12 << 16, 0))  # wl_callback.done


@pytest.fixture
def wayland_loads(monkeypatch):
    monkeypatch.setattr(preflight, "_plugin", lambda file: "")
    monkeypatch.setattr(preflight, "PATIENCE", 0.2)


@linux
def test_a_compositor_that_answers(compositor, wayland_loads, tmp_path):
    environ = compositor(answers)
    assert preflight.problem((), environ) == ""


@linux
def test_a_compositor_that_is_named_by_its_path(compositor, wayland_loads, tmp_path):
    compositor(answers)
    assert preflight.problem((), {"WAYLAND_DISPLAY": str(tmp_path / "wayland-7")}) == ""


@linux
def test_a_compositor_that_says_nothing_is_not_waited_for(compositor, wayland_loads, monkeypatch):
    monkeypatch.setattr(preflight, "_x_server", lambda environ: "")  # Qt would not get as far
    found = preflight.problem((), compositor(lambda connection: connection.recv(99)))
    assert "wayland-7 accepts connections and says nothing" in found
    assert "QT_QPA_PLATFORM=xcb" in found


@linux
def test_a_compositor_that_hangs_up(compositor, wayland_loads):
    found = preflight.problem((), compositor(lambda connection: connection.close()))
    assert "wayland-7" in found and ("hangs up" in found or "does not answer" in found)


@linux
@pytest.mark.parametrize("file", ["missing", "dead"])
def test_a_compositor_that_is_gone(file, compositor, tmp_path, wayland_loads, monkeypatch):
    if file == "dead":
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(tmp_path / "wayland-7"))
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "WAYLAND_DISPLAY": "wayland-7"}
    found = preflight.problem((), environ)
    why = {"missing": "No such file", "dead": "refused"}[file]
    assert f"{tmp_path}/wayland-7 does not answer" in found and why in found
    assert "DISPLAY is not set" in found and "xvfb-run" in found
    monkeypatch.setattr(preflight, "_x_server", lambda environ: "")
    assert preflight.problem((), environ) == ""  # Qt takes X then
    assert preflight.problem(("-platform", "wayland"), environ)


@linux
def test_a_compositor_needs_a_folder(wayland_loads):
    found = preflight.problem((), {"WAYLAND_DISPLAY": "wayland-7"})
    assert found.startswith("The Wayland display wayland-7 cannot be found: XDG_RUNTIME_DIR")


@linux
def test_with_a_wayland_display_that_does_not_answer(tmp_path):
    done = run_main(WAYLAND_DISPLAY="wayland-7654", XDG_RUNTIME_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "wayland-7654 does not answer" in done.stderr or "apt-get" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("version", [(3, 9), (3, 14)])
def test_pythons_without_tensorflow(monkeypatch, version):
    monkeypatch.setattr(preflight.sys, "version_info", (*version, 0, "final", 0))
    assert preflight.problem().startswith("Python 3.10 to 3.13 is needed, this is ")


def test_the_same_pythons_everywhere():
    spans = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest, (major, minor) = preflight.OLDEST, preflight.NEWEST
    assert f'requires-python = ">={oldest[0]}.{oldest[1]},<{major}.{minor + 1}"' in spans


@pytest.mark.parametrize(
    ("version", "python", "bad"),
    [
        ("6.12.0", (3, 11), True),
        ("6.12.0", (3, 12), False),
        ("6.11.1", (3, 13), True),
        ("6.9.2", (3, 11), True),
        ("6.11.2", (3, 11), False),
        ("6.11.3", (3, 10), False),
    ],
)
def test_versions_that_bite(monkeypatch, version, python, bad):
    monkeypatch.setattr(preflight, "_installed", lambda: version)
    monkeypatch.setattr(preflight.sys, "version_info", (*python, 0, "final", 0))
    found = preflight._version()
    assert bool(found) is bad
    if bad:
        assert version in found and "pip install" in found and "<6.12" in found


def test_missing_packages(monkeypatch):
    find = preflight.importlib.util.find_spec
    missing = {"PySide6", "pyqtgraph"}
    monkeypatch.setattr(
        preflight.importlib.util, "find_spec", lambda name: None if name in missing else find(name)
    )
    found = preflight.problem()
    assert (
        found.startswith("PySide6 and pyqtgraph are not installed")
        and "-r requirements-app.txt" in found
    )


def test_missing_system_libraries(monkeypatch):
    monkeypatch.setitem(sys.modules, "PySide6.QtWidgets", None)
    found = preflight._libraries()
    assert "Qt cannot be loaded" in found and "apt-get install" in found and "libegl1" in found
