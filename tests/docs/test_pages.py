"""What the pages and README say can be typed: commands are parsed, blocks and notebooks are run."""

import importlib
import importlib.util
import os
import pathlib
import re
import shlex
import stat
import sys

import pytest

from slr_keras import config
from tests import processes

ROOT = pathlib.Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
GENERATED = {"settings.md"}
PAGES = sorted(page for page in DOCS.glob("*.md") if page.name not in GENERATED)
BLOCK = re.compile(r"^```([^\n{]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
JOBS = ("train", "evaluate", "attack", "export", "report", "study", "check", "transfer", "shelf")
OTHERS = {"apt-get", "cat", "pip", "python3", "git", "uv", "xvfb-run"}  # somebody else's programs


def blocks(page):
    """``(language and words, text)`` of every fenced block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(text):
    """The command lines of a shell block, without comments and files; a backslash joins lines."""
    text = re.sub(r"<<'END'\n.*?^END$", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words:
            yield words


SHELL = [
    (page.name, words)
    for page in [*PAGES, ROOT / "README.md"]
    for kind, text in blocks(page)
    if kind.split()[:1] in ([], ["sh"]) and "━" not in text
    for words in commands(text)
]


@pytest.mark.parametrize("name, words", SHELL, ids=lambda value: str(value)[:60])
def test_a_command_is_one(name, words):
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^([\w.-]+(?: [\w.-]+)*):", (ROOT / "Makefile").read_text(), re.M)
        known = {target for line in targets for target in line.split()}
        assert [w for w in rest if "=" not in w][0] in known
    elif program == "slr-keras":
        parsed(rest[0], rest[1:])
    elif pathlib.Path(program).name == "python" and rest[0] == "-m" and rest[1] != "pip":
        module, *flags = rest[1:]
        if module.startswith("slr_keras."):
            parsed(module.removeprefix("slr_keras."), flags)
        else:
            assert importlib.util.find_spec(module.split(" ")[0]) is not None
    elif program == "torchrun" or program in OTHERS:
        pass
    else:
        file = rest[0] if pathlib.Path(program).name == "python" else program
        assert file in ("-m", "main.py", "slr-keras-app", "draw.py") or (ROOT / file).exists()


def parsed(job, flags):
    """Every flag and choice is known; a run's settings are valid together."""
    from slr_keras.terminal import cli

    assert job in JOBS
    if "--plugin" in flags or "runs/shapes" in flags:
        return  # a file or a run that another block makes: these blocks are run
    options = importlib.import_module(f"slr_keras.{job}")._parser().parse(flags)
    if job == "train":
        config.load(options.preset, None, cli.values_of(options))


def test_there_is_something_to_check():
    assert len(SHELL) > 40 and {name for name, _ in SHELL} >= {"first-run.md", "README.md"}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_links_and_pictures_are_there(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        file = (page.parent / target).resolve()
        found = [file, file.with_suffix(".ipynb"), file.with_suffix(".md")]
        assert file.name in GENERATED or any(map(pathlib.Path.exists, found)), target


def test_readme_is_short_and_every_page_is_in_the_table_of_contents():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
    listed = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in [*PAGES, *(DOCS / "tutorials").glob("*.ipynb")]:
        if page.name != "index.md":
            assert f"\n{page.relative_to(DOCS).with_suffix('').as_posix()}\n" in listed


# -- run, for real ----------------------------------------------------------------------------


def environment(folder):
    """With ``slr-keras`` and ``python`` as an installed package has them."""
    bin_ = folder / "bin"
    bin_.mkdir()
    for name, command in (("slr-keras", "-m slr_keras"), ("python", "")):
        (bin_ / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n')
        (bin_ / name).chmod(0o755 | stat.S_IXUSR)
    path = f"{bin_}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}


def wanted(page, language):
    return [text for kind, text in blocks(page) if kind.split() == [language]]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [p for p in PAGES if wanted(p, "python")], ids=lambda p: p.name)
def test_python_of_a_page(page, tmp_path):
    """All blocks of a page, one after the other, in one process."""
    (tmp_path / "page.py").write_text("\n".join(wanted(page, "python")), encoding="utf-8")
    begin([sys.executable, "page.py"], tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [p for p in PAGES if wanted(p, "sh")], ids=lambda p: p.name)
def test_shell_of_a_page(page, tmp_path):
    begin(["sh", "-ec", "\n".join(wanted(page, "sh"))], tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["harden_a_classifier", "noisy_labels"])
def test_tutorials(name, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    import nbformat

    notebook = nbformat.read(DOCS / "tutorials" / f"{name}.ipynb", 4)
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{before}"
    try:
        resources = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
    finally:
        os.environ["PYTHONPATH"] = before


def begin(command, folder):
    done = processes.finished(command, 800, cwd=folder, env=environment(folder))
    assert done.returncode == 0, done.stderr[-3000:]
