"""What the referees share: a network, images it has not seen, one judge for both sides, a table."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _subjects, _timing

TRAINING_IMAGES = 1000  # of the digits; the other 797 are attacked
EPOCHS = 12
POINTS = 0.3  # how many points fewer than the referee still count as agreement
RADII = {"linf": 40 / 255, "l2": 0.8, "l1": 1.5}
ROUNDING = 1e-5  # of a distance, in parts of the radius

Attacked = Callable[[], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """A network and images that it classifies correctly.

    Attributes:
        net: Keras classifier with logits.
        x: (N, 8, 8, 1) float32 in [0, 1].
        y: (N,) labels.
        norm, eps: the ball.
    """

    net: Any
    x: np.ndarray
    y: np.ndarray
    norm: str
    eps: float

    def torch_twin(self, twin: Any = None) -> Any:
        """The same network in PyTorch (a small CNN if left out), given the weights of ours."""
        from benchmarks import torch_reference

        if twin is None:
            twin = torch_reference.SmallCNN(1, _subjects.CLASSES, self.net.layers[1].filters)
        twin = twin.eval()
        torch_reference.copy_to_torch(self.net, twin)
        ours = np.asarray(self.net(self.x, training=False))
        theirs = twin(torch_reference.to_torch_images(self.x)).detach().numpy()
        np.testing.assert_allclose(theirs, ours, atol=1e-4 * max(1.0, float(abs(ours).max())))
        return twin

    def on_arrays(self, attack: Any) -> Attacked:
        """An attack on PyTorch's images and labels as a function that gives Keras' images."""
        import torch

        from benchmarks import torch_reference

        x, y = torch_reference.to_torch_images(self.x), torch.from_numpy(self.y).long()
        return lambda: attack(x, y).detach().numpy().transpose(0, 2, 3, 1)

    def distance(self, images: np.ndarray) -> np.ndarray:
        """How far each image is from its original, in float64; (N,)."""
        d = (np.asarray(images, "float64") - self.x).reshape(len(self.x), -1)
        return {"linf": abs(d).max(1), "l2": np.sqrt((d**2).sum(1)), "l1": abs(d).sum(1)}[self.norm]

    def fools(self, images: np.ndarray) -> np.ndarray:
        """(N,) bool: misclassified by the network, whatever the distance."""
        z = np.asarray(self.net(np.asarray(images, "float32"), training=False))
        return z.argmax(-1) != self.y

    def fooled(self, images: np.ndarray) -> np.ndarray:
        """(N,) bool: misclassified by the network, inside the ball and in [0, 1]."""
        pixels = np.asarray(images).reshape(len(self.x), -1)
        sound = (pixels.min(1) >= -1e-6) & (pixels.max(1) <= 1 + 1e-6)
        near = self.distance(images) <= self.eps * (1 + ROUNDING) + 1e-7
        return self.fools(images) & near & sound


@dataclasses.dataclass(frozen=True)
class Row:
    """One attack by both sides: images fooled within the ball, seconds, median distance.

    Distances are over the images that both fool, for attacks that look for the nearest one.
    """

    attack: str
    images: int
    theirs: int
    ours: int
    their_seconds: float
    our_seconds: float
    their_distance: float | None = None
    our_distance: float | None = None

    @property
    def points(self) -> float:
        """By how many points of the images ours finds more."""
        return 100 * (self.ours - self.theirs) / self.images

    @property
    def agrees(self) -> bool:
        """Ours finds at least as many, within 0.3 points."""
        return self.points >= -POINTS - 1e-9

    def cells(self) -> list[str]:
        """The line of the table."""
        shares = [f"{100 * hits / self.images:.1f} %" for hits in (self.theirs, self.ours)]
        times = [f"{seconds:.1f}" for seconds in (self.their_seconds, self.our_seconds)]
        distances = ["", ""]
        if self.their_distance is not None:
            distances = [f"{self.their_distance:.4f}", f"{self.our_distance:.4f}"]
        verdict = "yes" if self.agrees else "NO"
        return [self.attack, *shares, f"{self.points:+.1f}", verdict, *times, *distances]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, as plain values."""
        return dataclasses.asdict(self) | {"points": self.points, "agrees": self.agrees}


HEADER = [
    "attack",
    "theirs",
    "ours",
    "points",
    "ours >= theirs - 0.3",
    "their s",
    "our s",
    "their distance",
    "our distance",
]


def compare(
    case: Case, name: str, theirs: Attacked, ours: Attacked, *, nearest: bool = False
) -> tuple[Row, np.ndarray, np.ndarray]:
    """The row of one attack, and what each side fooled; ``nearest``: compare distances as well."""
    results, seconds = [], []
    for run in (theirs, ours):
        begun = time.perf_counter()
        results.append(np.asarray(run()))
        seconds.append(time.perf_counter() - begun)
    hits = [case.fooled(images) for images in results]
    distances: list[float | None] = [None, None]
    both = hits[0] & hits[1]
    if nearest and both.any():
        distances = [float(np.median(case.distance(images)[both])) for images in results]
    counts = (int(hits[0].sum()), int(hits[1].sum()))
    return Row(name, len(case.x), *counts, *seconds, *distances), hits[0], hits[1]


def autoattack_rows(
    case: Case, peers: dict[str, Attacked], steps: int = 100, queries: int = 5000
) -> list[Row]:
    """A row for each attack of AutoAttack and one for all together."""
    from slr_keras.evaluation import attacks_of

    found, theirs, ours = [], [], []
    own = attacks_of("standard", case.norm, case.eps, _subjects.CLASSES)
    for name, peer in peers.items():
        short = {"queries": queries} if name == "square" else {"steps": steps}
        attack = own[name].replace(**short)
        row, their_hits, our_hits = compare(
            case, name, peer, lambda attack=attack: attack(case.net, case.x, case.y)
        )
        print(" ".join(row.cells()), flush=True)
        found.append(row)
        theirs.append(their_hits)
        ours.append(our_hits)
    return [*found, _total(found, np.any(theirs, axis=0), np.any(ours, axis=0))]


def _total(found: list[Row], theirs: np.ndarray, ours: np.ndarray) -> Row:
    seconds = [sum(row.their_seconds for row in found), sum(row.our_seconds for row in found)]
    return Row("in total", len(theirs), int(theirs.sum()), int(ours.sum()), *seconds)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 handwritten digits (N, 8, 8, 1) in [0, 1] and their labels."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    return (raw.images[..., None] / 16).astype("float32"), raw.target.astype("int32")


def trained(epochs: int = EPOCHS) -> Any:
    """A small network, adversarially trained on the first digits; the same one every time."""
    import keras

    keras.utils.set_random_seed(0)
    import slr_keras as slr

    net = slr.models.small_cnn(input_shape=(8, 8, 1), num_classes=_subjects.CLASSES)
    x, y = (part[:TRAINING_IMAGES] for part in digits())
    model = _subjects.classifier(net, "at", samples=len(x), eps=32 / 255)
    order = np.random.default_rng(0)
    for _ in range(epochs):
        for rows in np.array_split(order.permutation(len(x)), len(x) // 100):
            index = rows.astype("int32")
            model.train_on_batch({"image": x[rows], "index": index}, y[rows])
    return net


def case(
    images: int = 200,
    norm: str = "linf",
    eps: float | None = None,
    model: str | None = None,
    net: Any = None,
) -> Case:
    """The last digits that the network classifies correctly, ``images`` of them at most.

    It has not seen the last 797 of the 1,797.

    Args:
        model: a ``.keras`` file for images (8, 8, 1); left out, a network is trained.
        net: a network in its place.
    """
    if net is None and model:
        from slr_keras import saving

        net = saving.load_model(Path(model))
    net = net if net is not None else trained()
    x, y = digits()
    right = np.flatnonzero(np.asarray(net(x, training=False)).argmax(-1) == y)[-images:]
    return Case(net, x[right], y[right], norm, RADII[norm] if eps is None else eps)


def parser(description: str, norms: Sequence[str] = ("linf", "l2")) -> argparse.ArgumentParser:
    """The flags that all referees share."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--images", type=int, default=200, help="images attacked (default 200)")
    result.add_argument("--norm", choices=norms, default="linf", help="default linf")
    result.add_argument("--eps", type=float, help="radius (linf 40/255, l2 0.8, l1 1.5)")
    result.add_argument("--model", metavar="FILE", help=".keras for digits (default: train one)")
    result.add_argument("--threads", type=int, default=1, help="threads of each side (default 1)")
    result.add_argument("--json", metavar="FILE", help="write the figures here too")
    return result


def autoattack_parser(
    description: str, norms: Sequence[str] = ("linf", "l2")
) -> argparse.ArgumentParser:
    """:func:`parser` with the lengths of AutoAttack's attacks."""
    result = parser(description, norms)
    result.add_argument("--steps", type=int, default=100, help="of APGD and FAB (default 100)")
    result.add_argument("--queries", type=int, default=5000, help="of Square (default 5000)")
    return result


def judge_autoattack(
    flags: argparse.Namespace, package: str, peers: Callable[[Case, int, int], dict[str, Attacked]]
) -> int:
    """Run AutoAttack by both sides as the flags say; 0 if ours finds as many everywhere."""
    needs(package)
    case = prepared(flags)
    use_torch_threads(flags.threads)
    lengths = flags.steps, flags.queries
    return report(autoattack_rows(case, peers(case, *lengths), *lengths), flags.json)


def prepared(flags: argparse.Namespace) -> Case:
    """Threads set, and the case that the flags ask for."""
    _timing.use_threads(flags.threads)
    found = case(flags.images, flags.norm, flags.eps, flags.model)
    print(f"{len(found.x)} digits classified correctly, {found.norm}, eps {found.eps:.4f}")
    return found


def use_torch_threads(threads: int) -> None:
    """The same for PyTorch."""
    import torch

    torch.set_num_threads(threads)


def report(rows: Sequence[Row], to: str | None = None) -> int:
    """Print the table of images fooled, write JSON where asked; 0 if all agree, else 1."""
    table = [HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    if to:
        text = json.dumps([row.as_json() for row in rows], indent=2)
        Path(to).write_text(text + "\n", encoding="utf-8")
    return 0 if all(row.agrees for row in rows) else 1


def needs(package: str) -> None:
    """End with one sentence where the referee is not installed."""
    try:
        __import__(package)
    except ImportError as error:
        raise SystemExit(f"{error}: pip install -r benchmarks/requirements.txt") from None
