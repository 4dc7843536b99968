"""Has an image picked for the lab's bench."""

from __future__ import annotations

import dataclasses

import numpy as np

from slr_keras.protocol import commands, lab_events

from ..models.lab_parts import Image
from .requests import Asking, Request


class Picking:
    """The part of the lab's presenter that sees to the image."""

    def __init__(self, lab: Asking):
        self.lab = lab
        self._serial = 0
        self._last: commands.PickImage | None = None

    def pick(self, origin: str, index: int, path: str) -> None:
        """Take an image, of the first model's test set where it is no file."""
        slots = self.lab.bench.slots
        first = "a" if slots["a"].source or not slots["b"].source else "b"
        self._ask(commands.PickImage(0, origin, index, path, slots[first].wire))

    def _ask(self, command: commands.PickImage) -> None:
        self._last = command
        requests = self.lab.requests
        earlier = requests.waiting("pick")
        if earlier is not None:
            requests.forget(earlier.id)
        self.lab.bench.image_problem = ""
        requests.send(command, "pick")

    def bring_back(self) -> None:
        """Pick the same image in a new lab."""
        image = self.lab.bench.image
        if image is not None and image.index is not None:
            self.pick("index", image.index, "")
        elif image is not None and image.path:
            self.pick("file", 0, image.path)
        elif self._last is not None:
            self._ask(self._last)

    def fit(self, name: str) -> None:
        """See to an image that the first model can take."""
        bench = self.lab.bench
        model, image = bench.slots[name].model, bench.image
        first = "a" if bench.slots["a"].model else "b"
        if model is None or name != first or self.lab.requests.waiting("pick"):
            return
        if image is None and model.test_images:
            self.lab.pick("index", 0)
        elif image is not None and bench.mismatch(name):
            if image.path:
                self.lab.pick("file", path=image.path)
            elif model.test_images:
                self.lab.pick("index", min(image.index or 0, model.test_images - 1))

    def picked(self, event: lab_events.ImagePicked, request: Request) -> None:
        """The image is there."""
        bench = self.lab.bench
        self._serial += 1
        image, before = Image.of(event, request.path, self._serial), bench.image
        if before is not None and _same(image, before):
            image = dataclasses.replace(image, serial=before.serial)
        bench.image = image
        for slot in bench.slots.values():
            if slot.model is not None:
                slot.problem = ""


def _same(image: Image, before: Image) -> bool:
    return image.label == before.label and np.array_equal(image.pixels, before.pixels)
