"""The command line and the app's forms answer before any framework is loaded."""

import ast
import json
import pathlib
import sys

import pytest

import slr_keras
from tests.processes import finished

ROOT = pathlib.Path(slr_keras.__file__).parent
HEAVY = (
    "numpy",
    "tensorflow",
    "keras",
    "jax",
    "torch",
    "sklearn",
    "matplotlib",
    "tensorflow_datasets",
)
QT = ("PySide6", "PySide2", "PyQt6", "PyQt5", "qtpy", "shiboken6", "gui")

PROBE = f"""
import sys, time
begin = time.perf_counter()
{{code}}
seconds = time.perf_counter() - begin
import json
loaded = [name for name in {HEAVY + QT!r} if name in sys.modules]
print("RESULT", json.dumps([seconds, loaded]))
"""
HELP = """
import slr_keras
from slr_keras import train
from slr_keras.terminal import cli
try:
    train.main(["--help"])
except SystemExit as stop:
    if stop.code: raise
"""
FORM = "import slr_keras.config as c; c.settings(); c.load(preset=c.preset_names()[0])"
LISTS = "from slr_keras import train\n" + "\n".join(
    f"train.main(['--list', {kind!r}])" for kind in ("attacks", "methods", "models", "datasets")
)


def measure(code):
    command = [sys.executable, "-c", PROBE.replace("{code}", code)]
    done = finished(command, cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr
    text, _, result = done.stdout.rpartition("RESULT ")
    return text, *json.loads(result)


@pytest.mark.parametrize("code", [HELP, FORM, LISTS], ids=["help", "form", "lists"])
def test_no_framework_is_loaded(code):
    _, _, loaded = measure(code)
    assert loaded == []


def test_the_probe_sees_a_framework():
    assert measure("import numpy")[2] == ["numpy"]


def test_help_is_complete_and_takes_less_than_0_3_seconds():
    runs = [measure(HELP) for _ in range(5)]
    assert "--attack.eps" in runs[0][0] and "--method.momentum" in runs[0][0]
    assert min(seconds for _, seconds, _ in runs) < 0.3


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_slr_keras_never_imports_qt(path):
    assert not [name for name in imported(path) if name.split(".")[0] in QT]


PRESENTERS = sorted((ROOT.parent / "gui" / "presenters").glob("*.py"))


def from_qt(path):
    """The parts of Qt that a module takes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "PySide6":
            yield from (name.name for name in node.names)
    yield from (name.split(".")[1] for name in imported(path) if name.startswith("PySide6."))


@pytest.mark.parametrize("path", PRESENTERS, ids=lambda p: p.name)
def test_presenters_know_no_widgets(path):
    assert not {"QtWidgets", "QtSvg", "QtSvgWidgets"} & set(from_qt(path))
