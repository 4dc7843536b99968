"""Speaks the lab's protocol without TensorFlow: linear models of the digits, in NumPy.

    python fake_lab.py [--latency SECONDS] [--log FILE] [--trouble FILE]

``--log`` gets a line of JSON per command that is carried out. ``--trouble`` is a JSON file such as
``{"run_attack": "crash"}``: the next command of that name crashes, hangs, exits with code 3 or
writes garbage first; the file is removed then, so that a restarted lab is well.

A model source is any name; what it contains says what the model is: ``robust`` has smaller
weights, ``three`` has three classes, ``large`` takes 16 x 16 images, ``broken`` cannot be read.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pathlib
import queue
import signal
import sys
import threading
import time
import zlib
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from slr_keras.protocol import commands, events, lab_events
from slr_keras.protocol.lab_events import pack  # noqa: E402

FRAME_BYTES = 4 * 2**20  # as slr_keras.lab.trajectories has it


def digits() -> tuple[np.ndarray, np.ndarray]:
    """(N, 8, 8, 1) images and (N,) labels of scikit-learn's digits, without importing it."""
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None and spec.origin is not None
    path = pathlib.Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    return (table[:, :64] / 16).reshape(-1, 8, 8, 1), table[:, 64].astype(int)


class Linear:
    """logits = W x + b, fitted by ridge regression."""

    def __init__(self, source: str, images: np.ndarray, labels: np.ndarray):
        self.classes = 3 if "three" in source else 10
        self.size = 16 if "large" in source else 8
        scale = 4.0 if "robust" in source else 12.0
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(source.encode())))
        noise = 0.25 if "robust" in source else 0.05
        x = images[:1000].reshape(1000, -1) + noise * rng.normal(size=(1000, 64))
        y = np.eye(10)[labels[:1000]] - 0.1
        ridge = 60.0 if "robust" in source else 1.0
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(64), x.T @ y).T * scale
        if self.size == 16:
            weights = np.kron(weights.reshape(10, 8, 8), np.full((2, 2), 0.25)).reshape(10, -1)
        self.weights = weights[: self.classes]

    def logits(self, x: np.ndarray) -> np.ndarray:
        return self.weights @ x.reshape(-1).astype(float)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        z = self.logits(x)
        e = np.exp(z - z.max())
        return e / e.sum()

    def gradient(self, x: np.ndarray, label: int) -> np.ndarray:
        return ((self.probabilities(x) - np.eye(self.classes)[label]) @ self.weights).reshape(
            x.shape
        )

    def margin(self, x: np.ndarray, label: int) -> float:
        z = self.logits(x)
        return float(z[label] - np.delete(z, label).max())


def attack(model: Linear, x: np.ndarray, settings: dict, label: int, seed: int) -> dict[str, Any]:
    """PGD in NumPy; the fields of an AttackDone that come from it."""
    eps, norm = float(settings["eps"]), settings.get("norm", "linf")
    targeted, steps = bool(settings.get("targeted")), int(settings.get("steps", 1))
    step = float(settings.get("step_size", eps))
    rng = np.random.Generator(np.random.PCG64(seed))
    start = x
    if settings.get("random") and norm == "linf":
        start = np.clip(x + rng.uniform(-eps, eps, x.shape), 0, 1)
    frames = [start.astype(np.float32)]
    for _ in range(steps):
        gradient = model.gradient(frames[-1], label) * (-1 if targeted else 1)
        if norm == "linf":
            delta = np.clip(frames[-1] + step * np.sign(gradient) - x, -eps, eps)
        else:
            delta = frames[-1] + step * gradient / max(np.linalg.norm(gradient), 1e-12) - x
            delta *= min(1.0, eps / max(np.linalg.norm(delta), 1e-12))
        frames.append(np.clip(x + delta, 0, 1).astype(np.float32))
    hits = [(int(np.argmax(model.logits(f))) == label) == targeted for f in frames]
    wrong = int(np.argmax(model.logits(x))) != label and not targeted
    verdict = "wrong_on_clean" if wrong else "fooled" if hits[-1] else "resists"
    losses = [-float(np.log(max(model.probabilities(f)[label], 1e-12))) for f in frames]
    change = frames[-1] - x
    return {
        "label": label,
        "targeted": targeted,
        "adversarial": frames[-1],
        "clean_probabilities": tuple(map(float, model.probabilities(x))),
        "adversarial_probabilities": tuple(map(float, model.probabilities(frames[-1]))),
        "verdict": verdict,
        "fooled_at": hits.index(True) if verdict == "fooled" else None,
        "distance": float(np.abs(change).max() if norm == "linf" else np.linalg.norm(change)),
        "budget": eps,
        "losses": tuple(losses),
        "margins": tuple(model.margin(f, label) for f in frames),
        "frames": np.stack(frames) if len(frames) * x.nbytes < FRAME_BYTES else None,
    }


class FakeLab:
    """Carries out one command after the other."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.images, self.labels = digits()
        self.slots: dict[str, Linear] = {}
        self.image: np.ndarray | None = None
        self.label: int | None = None
        self.lock = threading.Lock()
        self.hangs = False

    def send(self, event: events.Event) -> None:
        with self.lock:
            print(events.encode(event), flush=True)

    def run(self) -> None:
        self.inbox: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        self.send(events.Hello("lab", os.getpid(), "fake"))
        self.send(lab_events.LabState("importing"))
        self.send(lab_events.LabState("ready", device="CPU"))
        while (command := self.inbox.get()) is not None:
            self._carry_out(command)

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            self.inbox.put(commands.decode(line))
        self.inbox.put(None)

    def _beat(self) -> None:
        while not self.hangs:
            time.sleep(0.3)
            self.send(events.Heartbeat(next_within=0.3, memory_mb=100.0))

    def _outdated(self, command: Any) -> bool:
        """Cancelled, or replaced by a newer attack on the slot."""
        with self.inbox.mutex:
            waiting = [c for c in self.inbox.queue if c is not None]
        cancelled = any(isinstance(c, commands.Cancel) and c.target == command.id for c in waiting)
        newer = any(type(c) is type(command) and c.slot == command.slot for c in waiting)
        return cancelled or newer

    def _carry_out(self, command: Any) -> None:
        self._trouble(command.name)
        if self.options.log:
            with open(self.options.log, "a") as file:
                file.write(commands.encode(command) + "\n")
        self.send(events.Acknowledged(command.id, command.name))
        handler = getattr(self, f"on_{command.name}", None)
        if handler is not None:
            try:
                handler(command)
            except (LookupError, ValueError) as error:
                self.send(lab_events.Refused(command.id, str(error.args[0])))

    def _trouble(self, name: str) -> None:
        path = pathlib.Path(self.options.trouble or "/nonexistent")
        wanted = json.loads(path.read_text()).get(name) if path.is_file() else None
        if wanted is None:
            return
        path.unlink()
        if wanted == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if wanted == "hang":
            self.hangs = True
            time.sleep(3600)
        if wanted == "exit":
            print("out of memory, so they say", file=sys.stderr, flush=True)
            os._exit(3)
        if wanted == "garbage":
            with self.lock:
                sys.stdout.buffer.write(
                    b'\xff\xfe no JSON {"event": \n{"event": "unheard_of"}\n[]\n'
                )
                sys.stdout.flush()

    def on_load(self, command: commands.Load) -> None:
        if "broken" in command.source:
            raise ValueError(f"{command.source} cannot be read as a Keras model: no such file")
        model = Linear(command.source, self.images, self.labels)
        time.sleep(self.options.latency)
        self.slots[command.slot] = model
        name = pathlib.Path(command.source).name
        self.send(
            lab_events.ModelLoaded(
                id=command.id,
                slot=command.slot,
                title=name,
                source=command.source,
                which=command.which,
                epoch=12,
                input_shape=(model.size, model.size, 1),
                class_names=tuple("0123456789"[: model.classes]),
                parameters=model.weights.size,
                digest=f"{zlib.crc32(command.source.encode()):x}-{command.which}",
                test_images=0 if command.source.endswith(".keras") else len(self.labels) - 1000,
                attack={
                    "name": "pgd",
                    "norm": "linf",
                    "eps": "24/255",
                    "step_size": "6/255",
                    "steps": 10,
                },
            )
        )

    def on_pick_image(self, command: commands.PickImage) -> None:
        index, title, notice = command.index, "", ""
        if command.origin == "file":
            return self._pick_file(command)
        count = len(self.labels) - 1000
        if command.origin == "random":
            index = int(np.random.Generator(np.random.PCG64(command.id)).integers(count))
        if command.origin == "wrong":
            model = self.slots[command.slot]
            tests = zip(self.images[1000:], self.labels[1000:], strict=True)
            wrong = [i for i, (x, y) in enumerate(tests) if np.argmax(model.logits(x)) != y]
            index = wrong[command.id % len(wrong)]
        if not 0 <= index < count:
            raise LookupError(f"The test set has {count} images: choose 0 to {count - 1}.")
        self.image, self.label = self.images[1000 + index], int(self.labels[1000 + index])
        model = self.slots.get(command.slot)
        if model is not None and model.size == 16:
            self.image = np.kron(self.image[..., 0], np.ones((2, 2)))[..., None]
        title = f"Test image {index}"
        self._picked(command, index, title, notice)
        return None

    def _pick_file(self, command: commands.PickImage) -> None:
        path = pathlib.Path(command.path)
        if not path.is_file() or path.read_bytes()[:4] not in (b"\x89PNG", b"\xff\xd8\xff\xe0"):
            raise ValueError(f"{path.name} cannot be read as an image. Take a PNG or JPEG file.")
        self.image, self.label = self.images[1500], None
        self._picked(command, None, path.name, "Resized from 64 × 48 to 8 × 8 and made grey.")

    def _picked(self, command: Any, index: int | None, title: str, notice: str) -> None:
        assert self.image is not None
        event = lab_events.ImagePicked(
            command.id, pack(self.image), self.label, command.origin, index, title, notice
        )
        self.send(event)

    def on_run_attack(self, command: commands.RunAttack) -> None:
        model, image = self.slots[command.slot], self.image
        if image is None:
            raise LookupError("Pick an image first.")
        if image.size != model.weights.shape[1]:
            raise ValueError("The image does not fit the model.")
        if command.label is not None and command.label >= model.classes:
            raise ValueError(
                f"The image is of class {command.label} and this model knows {model.classes} "
                "classes. Load a model of the same data, or pick another image."
            )
        end = time.monotonic() + self.options.latency
        steps = 10
        while (left := end - time.monotonic()) > 0:
            if self._outdated(command):
                return self.send(lab_events.Superseded(command.id))
            if self.options.latency > 0.5:
                step = int(steps * (1 - left / self.options.latency))
                self.send(
                    lab_events.AttackProgress(
                        command.id, command.slot, step, steps, 1.0, 1.0, pack(image / 2)
                    )
                )
            time.sleep(min(left, 0.05))
        label = command.label
        if label is None:
            label = int(np.argmax(model.logits(image)))
        found = attack(model, image, command.attack, label, command.seed)
        rival = self.slots.get("b" if command.slot == "a" else "a")
        transfer: dict[str, Any] = {}
        if rival is not None and rival.size == model.size:
            transfer = {
                "transfer_clean": tuple(map(float, rival.probabilities(image))),
                "transfer_adversarial": tuple(
                    map(float, rival.probabilities(found["adversarial"]))
                ),
            }
        arrays = {key: found.pop(key) for key in ("adversarial", "frames")}
        packed = {key: pack(array) for key, array in arrays.items() if array is not None}
        warnings = (
            ("The loss did not rise: the attack may be failing.",)
            if found["losses"][-1] <= found["losses"][0] and not found["targeted"]
            else ()
        )
        self.send(
            lab_events.AttackDone(
                id=command.id,
                slot=command.slot,
                attack=command.attack,
                seconds=self.options.latency,
                warnings=warnings,
                **found,
                **packed,
                **transfer,
            )
        )
        return None

    def on_attack_many(self, command: commands.AttackMany) -> None:
        model = self.slots[command.slot]
        for index in command.indices:
            if self._outdated(command):
                return self.send(lab_events.Superseded(command.id))
            image, true = self.images[1000 + index], int(self.labels[1000 + index])
            label = true if command.label is None else command.label
            found = attack(model, image, command.attack, label, command.seed)
            self.send(
                lab_events.ManyImage(
                    id=command.id,
                    slot=command.slot,
                    index=index,
                    label=true,
                    image=pack(image),
                    adversarial=pack(found["adversarial"]),
                    clean_class=int(np.argmax(found["clean_probabilities"])),
                    adversarial_class=int(np.argmax(found["adversarial_probabilities"])),
                    verdict=found["verdict"],
                )
            )
            time.sleep(self.options.latency / 10)
        self.send(lab_events.ManyDone(command.id, command.slot))
        return None

    def on_sweep(self, command: commands.Sweep) -> None:
        model, image = self.slots[command.slot], self.image
        assert image is not None
        label = command.label if command.label is not None else int(np.argmax(model.logits(image)))
        first = None
        for eps in command.eps:
            if self._outdated(command):
                return self.send(lab_events.Superseded(command.id))
            settings = {**command.attack, "eps": eps}
            found = attack(model, image, settings, label, command.seed)
            fooled = found["verdict"] != "resists"
            first = eps if fooled and first is None else first
            point = lab_events.SweepPoint(
                command.id,
                command.slot,
                eps,
                fooled,
                found["adversarial_probabilities"][label],
                found["margins"][-1],
            )
            self.send(point)
            time.sleep(self.options.latency / 10)
        self.send(lab_events.SweepDone(command.id, command.slot, first))
        return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--log")
    parser.add_argument("--trouble")
    FakeLab(parser.parse_args()).run()
