"""What the package knows of its own checkout."""

from __future__ import annotations

import pathlib
import shutil
import sys

import pytest

from slr_keras import installing
from tests.processes import finished

COMMIT = "import installing; print(installing.commit())"


def said_in(folder: pathlib.Path) -> str:
    """What the module calls the commit where it lies in a folder."""
    command = [sys.executable, "-c", COMMIT]
    return finished(command, cwd=folder).stdout.strip()


def test_commit_is_that_of_a_checkout_and_of_nobody_elses(tmp_path):
    if not shutil.which("git"):
        assert installing.commit() == ""
        pytest.skip("no git here: nothing can be known")

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = finished(["git", *who, *words], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    package = tmp_path / "package"
    package.mkdir()
    shutil.copy(installing.__file__, package)
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "somebody's own")
    assert said_in(package) == ""  # beside their files, not among them
    git("add", ".")
    git("commit", "--quiet", "--message", "a checkout")
    head = git("rev-parse", "--short=12", "HEAD")
    assert said_in(package) == head
    (package / "installing.py").write_text(pathlib.Path(installing.__file__).read_text() + "\n")
    assert said_in(package) == f"{head}-dirty"
