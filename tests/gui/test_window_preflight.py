"""What is said before there is a window, instead of an abort."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gui import preflight
from gui.worker import ROOT

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems have a display"
)


def run_main(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("QT_QPA_PLATFORM", "DISPLAY")}
    kept.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, str(ROOT / "main.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=kept | environ, check=False
    )


def test_help_needs_no_qt():
    code = "import sys; sys.argv = ['main.py', '--help']\n" + (
        "from gui.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'PySide6', 'pyqtgraph', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
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
        ([], {"WAYLAND_DISPLAY": "wayland-0"}, True),
        (["-platform", "xcb"], {"WAYLAND_DISPLAY": "wayland-0"}, False),
        ([], {}, False),
    ],
)
def test_which_platforms_need_a_display(argv, environ, fine):
    assert (preflight.problem(argv, environ) == "") is fine


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
        found.startswith("PySide6 and pyqtgraph are not installed") and "requirements.txt" in found
    )


def test_missing_system_libraries(monkeypatch):
    monkeypatch.setitem(sys.modules, "PySide6.QtWidgets", None)
    found = preflight._libraries()
    assert "Qt cannot be loaded" in found and "apt-get install" in found and "libegl1" in found
