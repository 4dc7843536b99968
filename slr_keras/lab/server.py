"""The lab's loop: takes commands between the steps of what it computes.

Attacks and sweeps are generators that yield after each step, so that a newer request is seen at
once. One image goes before many, and these before sweeps; images and models are handled when they
come. What was asked of
an image or a model that is no longer there is dropped with ``Superseded``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import traceback
from collections.abc import Generator, Iterator
from typing import Any

from slr_keras import backend
from slr_keras.errors import UserError
from slr_keras.protocol import commands as ask
from slr_keras.protocol import lab_events as tell
from slr_keras.protocol.channel import Channel
from slr_keras.protocol.events import Acknowledged, Failed
from slr_keras.terminal import cli

Asked = ask.RunAttack | ask.AttackMany | ask.Sweep  # what takes a while
STATES = {ask.RunAttack: "attacking", ask.AttackMany: "attacking_many", ask.Sweep: "sweeping"}
COMPILING = 60.0  # seconds without a sign of life that importing or compiling may take


@dataclasses.dataclass
class Job:
    """Something under way: the request and what is left of it."""

    command: Asked
    steps: Generator[None, None, None]

    @property
    def state(self) -> str:
        """For ``LabState``."""
        return STATES[type(self.command)]


def serve(channel: Channel) -> int:
    """Answer a window until it is gone; returns the exit code."""
    channel.send(tell.LabState("importing"))
    channel.expect(COMPILING)
    try:
        cli.import_framework()
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it counts functions as retraced
        from slr_keras.lab.bench import Bench
    except Exception as error:
        traceback.print_exc()
        channel.send(Failed(f"The framework cannot be loaded: {_first_line(error)}"))
        return 1
    channel.expect()
    Server(channel, Bench(channel)).run()
    return 0


class Server:
    """Receives, orders and drops requests; the bench answers them."""

    def __init__(self, channel: Channel, bench: Any):
        self.channel, self.bench = channel, bench
        self.jobs: list[Job] = []
        self.state, self.device = "", backend.describe_device()
        self.open = True

    def run(self) -> None:
        """Serve until the window is gone."""
        self._say("ready")
        while self.open:
            for command in self._received():
                self._take(command)
            if self.open and self.jobs:
                self._advance(self.jobs[0])
            if not self.jobs:
                self._say("ready")

    def _say(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.channel.send(tell.LabState(state, self.device))

    # -- receiving ----------------------------------------------------------------------------

    def _received(self) -> list[ask.Command]:
        """What came; waits for it if there is nothing to do. Of several models for a slot the
        last."""
        found: list[ask.Command] = []
        with contextlib.suppress(queue.Empty):
            while True:
                wait = not self.jobs and not found
                command = self.channel.commands.get(block=wait)
                if command is None:
                    self.open = False
                    return []
                self.channel.send(Acknowledged(command.id, command.name))
                found.append(command)
        return [c for place, c in enumerate(found) if not self._outdated(c, found[place + 1 :])]

    def _outdated(self, command: ask.Command, later: list[ask.Command]) -> bool:
        if not isinstance(command, ask.Load):
            return False
        newer = any(isinstance(c, ask.Load) and c.slot == command.slot for c in later)
        if newer:
            self.channel.send(tell.Superseded(command.id))
        return newer

    def _take(self, command: ask.Command) -> None:
        with self._answering(command):
            if isinstance(command, Asked):
                self._begin(command)
            elif isinstance(command, ask.Cancel):
                self._drop(lambda job: job.command.id == command.target)
            elif isinstance(command, ask.Load):
                self._load(command)
            elif isinstance(command, ask.PickImage):
                self._say("picking")
                self.bench.pick(command)
                self._drop(lambda job: not isinstance(job.command, ask.AttackMany))
            else:
                raise UserError(f"The lab cannot do {command.name!r}.")

    @contextlib.contextmanager
    def _answering(self, command: ask.Command) -> Iterator[None]:
        """Whatever goes wrong is said in a sentence, and the lab goes on."""
        try:
            yield
        except UserError as error:
            self.channel.send(tell.Refused(command.id, sentence(error)))
        except Exception as error:
            traceback.print_exc()
            message = (
                f"The lab met an error of its own ({type(error).__name__}: {_first_line(error)}). "
                "Try again; the log in Diagnostics has the details."
            )
            self.channel.send(tell.Refused(command.id, message))

    # -- doing --------------------------------------------------------------------------------

    def _begin(self, command: Asked) -> None:
        """Replace what the slot is asked for, in the order of :data:`STATES`."""
        kind, slot = type(command), command.slot
        self._drop(lambda job: type(job.command) is kind and job.command.slot == slot)
        bench = self.bench
        steps = {ask.RunAttack: bench.attack, ask.AttackMany: bench.many, ask.Sweep: bench.sweep}
        self.jobs.append(Job(command, steps[kind](command)))
        self.jobs.sort(key=lambda job: [*STATES].index(type(job.command)))

    def _drop(self, fits: Any) -> None:
        for job in [job for job in self.jobs if fits(job)]:
            self.jobs.remove(job)
            job.steps.close()
            self.channel.send(tell.Superseded(job.command.id))

    def _advance(self, job: Job) -> None:
        """One step of a job."""
        self._say(job.state)
        done = True
        with self._answering(job.command):
            done = next(job.steps, job) is job
        if done:
            self.jobs.remove(job)

    def _load(self, command: ask.Load) -> None:
        self._say("loading")
        self.channel.expect(COMPILING)
        try:
            if self.bench.load(command):
                self._drop(lambda job: job.command.slot == command.slot)
                self._say("compiling")
                self.bench.warm_up(command.slot)
        finally:
            self.channel.expect()


def sentence(error: Exception) -> str:
    """An error as a sentence: it begins large and ends with a full stop."""
    text = str(error).strip()
    if not text.endswith((".", "?", "!")):
        text += "."
    first = text.split()[0] if text.split() else ""
    return text[0].upper() + text[1:] if first.rstrip(",").isalpha() else text


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
