"""No process that a test starts can hold up the others: every one has a time limit."""

import ast
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import psutil
import pytest

from tests.processes import PIPES, begin, finished

TESTS = pathlib.Path(__file__).parents[1]
UNLIMITED = {
    "subprocess": {"run", "Popen", "call", "check_call", "check_output"}
    | {"getoutput", "getstatusoutput"},
    "os": {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp"},
    "multiprocessing": {"Process", "Pool"},
    "pty": {"fork", "spawn"},
}
ASLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
needs_setsid = pytest.mark.skipif(not shutil.which("setsid"), reason="there is no setsid here")
SOON = 15.0  # seconds: far less than the sleepers sleep


def unlimited(tree):
    """Lines that start a process without a limit, by whatever name."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(name.name, name.asname) for name in node.names]
            modules |= {own or full.split(".")[0]: full.split(".")[0] for full, own in names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for name in node.names:
                if name.name in UNLIMITED.get(node.module, ()):
                    yield node.lineno, f"{node.module}.{name.name}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if node.attr in UNLIMITED.get(module, ()):
                yield node.lineno, f"{module}.{node.attr}"


def test_tests_start_processes_with_a_limit_only():
    found = [
        f"{path.relative_to(TESTS.parent)}:{line} {name}"
        for path in sorted(TESTS.rglob("*.py"))
        if path != TESTS / "processes.py"
        for line, name in unlimited(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found, "use tests/processes.py instead:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import subprocess\nsubprocess.run([])", ["subprocess.run"]),
        ("import subprocess as s\nwith s.Popen([]): pass", ["subprocess.Popen"]),
        ("from subprocess import check_output as read", ["subprocess.check_output"]),
        ("import os, functools\nf = functools.partial(os.system)", ["os.system"]),
        ("import multiprocessing as m\nm.Process()", ["multiprocessing.Process"]),
        ("import subprocess\nsubprocess.PIPE\nrunner.run()", []),
    ],
)
def test_the_search_knows_its_names(code, names):
    assert [name for _, name in unlimited(ast.parse(code))] == names


def gone(pid):
    """Whether a process that was killed is no more, at least as soon as the system gets to it."""
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:  # nobody waits for it
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_one_that_ends_in_time(tmp_path):
    code = "import os, sys; print(os.getcwd(), input()); print('no', file=sys.stderr); sys.exit(3)"
    before = threading.enumerate()
    done = finished([sys.executable, "-c", code], input="words\n", cwd=tmp_path)
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stderr) == (3, "no\n")
    assert done.stdout == f"{tmp_path} words\n"
    watching = [thread for thread in threading.enumerate() if thread not in before]
    assert all(timer.finished.is_set() for timer in watching)


def killed(script):
    """The process whose number the script printed before it was killed."""
    begun = time.monotonic()
    with pytest.raises(pytest.fail.Exception, match="killed after 0.5 seconds") as failed:
        finished(["sh", "-c", script], 0.5)
    assert time.monotonic() - begun < SOON
    (pid,) = [int(line) for line in str(failed.value).splitlines() if line.isdigit()]
    return pid


def test_one_that_sleeps_is_killed_with_the_grandchild_that_holds_its_pipe():
    assert gone(killed("sleep 60 & echo $!; sleep 60"))


def test_a_grandchild_that_outlives_it_is_killed_too():
    assert gone(killed("sleep 60 & echo $!"))


@needs_setsid
def test_a_grandchild_with_a_session_of_its_own_is_killed_too():
    assert gone(killed("setsid sleep 60 & echo $!; sleep 60"))


@needs_setsid
def test_a_pipe_that_is_held_out_of_reach_is_given_up():
    begun = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired) as left:
        finished(["sh", "-c", "setsid sleep 60 & echo $!; sleep 0.3"], 0.5)
    psutil.Process(int(left.value.stdout)).kill()
    assert time.monotonic() - begun < SOON


@pytest.mark.parametrize("look", ["wait", "poll", "communicate", "kill"])
def test_who_reads_its_pipe_comes_to_the_end_and_fails_once(look):
    begun = time.monotonic()
    process = begin(ASLEEP, 0.5, **PIPES)
    assert process.stdout.readline() == b""
    with pytest.raises(pytest.fail.Exception, match="killed after 0.5 seconds"):
        getattr(process, look)()
    process.kill()
    assert process.wait() < 0  # what cleans up goes on
    assert time.monotonic() - begun < SOON
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_one_that_the_test_kills_does_not_fail():
    process = begin(ASLEEP)
    assert process.poll() is None
    process.kill()
    assert process.wait() < 0
