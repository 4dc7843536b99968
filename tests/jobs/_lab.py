"""A lab in this process: requests in, answers out, no pipes."""

import itertools
import queue

import numpy as np

from slr_keras.lab.bench import Bench
from slr_keras.lab.server import Server
from slr_keras.protocol import commands, lab_events
from slr_keras.protocol.events import Acknowledged
from slr_keras.protocol.lab_events import unpack


class Idle(Exception):
    """The lab would wait for the window now."""


class Inbox(queue.Queue):
    def get(self, block=True, timeout=None):
        if block and self.empty():
            raise Idle
        return super().get(block=False)


class Lab:
    """``ask`` sends commands, lets the lab work until it waits, and returns what it said.

    ``warm``: compile when a model is loaded, as the real one does.
    """

    def __init__(self, warm=False):
        self.commands, self.said, self.ids = Inbox(), [], itertools.count(1)
        self.on_event = lambda event: None
        self.server = Server(self, Bench(self))
        if not warm:
            self.server.bench.warm_up = lambda slot: None

    def send(self, event):
        self.said.append(event)
        self.on_event(event)

    def expect(self, seconds=0.0):
        pass

    def put(self, command):
        """Send a command now; returns its number."""
        number = next(self.ids)
        self.commands.put(type(command)(**{**vars(command), "id": number}))
        return number

    def ask(self, *wanted, on_event=None):
        self.said.clear()
        self.on_event = on_event or (lambda event: None)
        for command in wanted:
            self.put(command)
        try:
            self.server.run()
        except Idle:
            pass
        finally:
            self.on_event = lambda event: None
        return [e for e in self.said if not isinstance(e, (Acknowledged, lab_events.LabState))]

    def one(self, command):
        """The only answer to a command."""
        answers = self.ask(command)
        answers = [e for e in answers if not isinstance(e, lab_events.AttackProgress)]
        assert len(answers) == 1, answers
        return answers[0]

    def load(self, source, which="best", slot="a"):
        return self.one(commands.Load(slot=slot, source=str(source), which=which))

    def pick(self, **values):
        return self.one(commands.PickImage(**values))

    def attack(self, attack, **values):
        return self.one(commands.RunAttack(attack=attack, **values))

    def model(self, slot="a"):
        return self.server.bench.shelves[slot].model

    @property
    def image(self):
        return self.server.bench.picture.image


def array(packed):
    return np.array(unpack(packed))
