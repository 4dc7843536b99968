"""What Windows and macOS lack is asked for nowhere on the way to a command or the window."""

import sys

import pytest

from gui import preflight
from tests import processes

LACKING = (  # of Windows, or of both
    "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline", "resource", "spwd",
    "syslog", "termios", "tty",
)  # fmt: skip
POSIX = (
    "fork", "getpgid", "getuid", "killpg", "sched_getaffinity", "setsid", "statvfs", "uname",
    "register_at_fork", "O_NONBLOCK", "WNOHANG",
)  # fmt: skip
SIGNALS = ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGALRM", "SIGPIPE")
LIGHT = """
import importlib, pkgutil, subprocess, sys, os, signal
import {package} as package
names = [info.name for info in pkgutil.walk_packages(package.__path__, "{package}.")]
done = [name for name in names if not name.endswith("__main__") and "{skipped}" not in name]
for name in {lacking}:
    sys.modules[name] = None
for name in {posix}:
    vars(os).pop(name, None)
for name in {signals}:
    vars(signal).pop(name, None)
for name in done:
    importlib.import_module(name)
print(len(done))
"""


@pytest.mark.parametrize("package, least", [("slr_keras", 170), ("gui", 80)])
def test_every_module_is_imported_without_what_windows_lacks(package, least):
    # frameworks, Qt and the standard library may ask: they are imported first
    first = "import keras, tensorflow_datasets, sklearn.datasets, rich.progress, psutil, PIL.Image"
    if package == "gui":
        if unloadable := preflight.without_display():
            pytest.skip(unloadable)
        first = "import pyqtgraph, PySide6.QtWidgets, psutil, numpy, matplotlib.figure"
    code = LIGHT.format(
        package=package, skipped="backend.", lacking=LACKING, posix=POSIX, signals=SIGNALS
    )
    done = processes.finished([sys.executable, "-c", f"{first}\n{code}"])
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) >= least
