"""The line between a worker and its window, without a trainer: pipes on both sides."""

import contextlib
import json
import os
import queue
import select
import sys
import time

import pytest

from slr_keras.protocol import channel, commands, events
from tests.processes import PIPES, begin

LIMIT = 10.0  # seconds in which what is waited for must come


class Window:
    """The other ends of a channel's pipes."""

    def __init__(self):
        self.reads, out = os.pipe()
        source, self.writes = os.pipe()
        self.ends = {self.reads, self.writes}
        self.rest = b""
        self.channel = channel.Channel("test", out, source)

    def write(self, data):
        while data:
            assert select.select([], [self.writes], [], LIMIT)[1], "nobody reads"
            data = data[os.write(self.writes, data[: select.PIPE_BUF]) :]

    def lines(self):
        end = time.monotonic() + LIMIT
        while select.select([self.reads], [], [], max(0.0, end - time.monotonic()))[0]:
            if not (data := os.read(self.reads, 65536)):
                return
            *lines, self.rest = (self.rest + data).split(b"\n")
            yield from lines
        pytest.fail(f"it did not come in {LIMIT:g} seconds")

    def received(self, kind, fitting=lambda _: True):
        return next(e for e in map(events.decode, self.lines()) if type(e) is kind and fitting(e))

    def close(self, end):
        self.ends.remove(end)
        os.close(end)


@pytest.fixture
def window():
    made = Window()
    yield made
    for end in list(made.ends):
        with contextlib.suppress(OSError):
            made.close(end)
    made.channel.close()


def test_hello_comes_first(window):
    first = events.decode(next(window.lines()))
    assert (type(first), first.program, first.pid) == (events.Hello, "test", os.getpid())


def test_commands_arrive_in_order_whole_or_in_parts(window):
    sent = [commands.Pause(id=1), commands.PauseAfter(id=2, epochs=3), commands.Resume(id=3)]
    data = "".join(commands.encode(command) + "\n" for command in sent).encode()
    for place in range(0, len(data), 7):
        window.write(data[place : place + 7])
    assert [window.channel.commands.get(timeout=LIMIT) for _ in sent] == sent


@pytest.mark.parametrize(
    "line",
    [b"no json", b"[1]", b"\xff\xfe\x00", b'{"command": ', b"[" * 100_000, b"9" * 9000, b"", b"\r"],
    ids=["text", "list", "bytes", "cut", "deep", "number", "empty", "return"],
)
def test_a_line_that_is_no_command_is_passed_over(window, line):
    window.write(line + b"\n")
    window.write(b'{"command": "from_the_future", "id": 1}\n{"command": "stop", "id": 2}\n')
    assert window.channel.commands.get(timeout=LIMIT) == commands.Stop(id=2)


def test_the_end_of_stdin_is_none_once(window):
    window.write(commands.encode(commands.Stop(id=1)).encode())  # half a line is no command
    window.close(window.writes)
    assert window.channel.commands.get(timeout=LIMIT) is None
    with pytest.raises(queue.Empty):
        window.channel.commands.get(timeout=0.1)


def test_a_stdout_that_nobody_reads_is_the_end_too(window):
    window.close(window.reads)
    window.channel.send(events.Warned("into the void"))
    assert window.channel.commands.get(timeout=LIMIT) is None
    waiting = window.channel._lines.qsize()
    for number in range(100):
        window.channel.send(events.Warned(f"number {number}"))
    assert window.channel._lines.qsize() == waiting <= 1  # nothing piles up; a heartbeat may wait


def test_heartbeats_come_by_themselves_and_promise_what_is_expected(window):
    beat = window.received(events.Heartbeat)
    assert beat.next_within == channel.PROMISE and 1 < beat.memory_mb < 1e6
    window.channel.expect(60)
    begin = time.monotonic()
    window.received(events.Heartbeat, lambda e: e.next_within == 60)
    assert time.monotonic() - begin < channel.BEAT / 2  # at once, not with the next beat
    assert window.received(events.Heartbeat).next_within == 60
    window.channel.expect()
    window.received(events.Heartbeat, lambda e: e.next_within == channel.PROMISE)


BATCH = events.BatchEnded(1, 1, 1, 0.5, 0.5, 0.5, 1.0)


def test_a_window_that_hangs_blocks_nobody_and_loses_no_warning(window):
    begin, count = time.monotonic(), 3000
    for number in range(count):
        window.channel.send(events.Warned(f"{number:06d}" + 100 * "x"))
        window.channel.send(BATCH)
    assert time.monotonic() - begin < LIMIT
    assert window.channel._lines.qsize() < count + channel.BACKLOG + 10  # batches were left out
    got = []
    for event in map(events.decode, window.lines()):
        if isinstance(event, events.Warned):
            got.append(int(event.message[:6]))
            if got[-1] == count - 1:
                break
    assert got == list(range(count))


def test_close_sends_what_waits(window):
    for number in range(50):
        window.channel.send(events.Warned(str(number)))
    window.channel.close()
    messages = []
    for event in map(events.decode, window.lines()):
        messages += [event.message] if isinstance(event, events.Warned) else []
        if len(messages) == 50:
            break
    assert messages == [str(number) for number in range(50)]


PROGRAM = """
import os, subprocess, sys
from slr_keras.protocol import events
from slr_keras.protocol.channel import Channel
with Channel.open("test") as channel:
    print("from print")
    os.write(1, b"from a library\\n")
    subprocess.run([sys.executable, "-c", "import sys; print('from a child', sys.stdin.read())"])
    command = channel.commands.get(timeout=20)
    channel.send(events.Acknowledged(command.id, command.name))
    while channel.commands.get() is not None:
        pass
    for _ in range(100):
        print("nobody reads this", flush=True)
        print("nor this", file=sys.stderr, flush=True)
sys.exit(7)
"""


def start():
    return begin([sys.executable, "-c", PROGRAM], **PIPES)


def test_the_protocol_alone_is_on_stdout_and_children_take_no_commands():
    process = start()
    out, err = process.communicate(commands.encode(commands.Pause(id=4)).encode() + b"\n", LIMIT)
    assert process.returncode == 7
    sent = [json.loads(line)["event"] for line in out.splitlines()]
    assert sent[0] == "hello" and "acknowledged" in sent
    assert all(f"from {who}".encode() in err for who in ("print", "a library", "a child"))


def test_a_worker_whose_window_was_killed_can_still_print():
    process = start()
    process.stdin.write(commands.encode(commands.Pause(id=4)).encode() + b"\n")
    process.stdin.flush()
    assert any(b"acknowledged" in line for line in process.stdout)
    for pipe in (process.stdout, process.stderr, process.stdin):
        pipe.close()
    assert process.wait(LIMIT) == 7
