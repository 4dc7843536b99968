"""Several attacks on one model: what ``python -m slr_keras.evaluate`` computes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slr_keras import data, networks
from slr_keras.checks import check_classifier, check_images, check_labels
from slr_keras.errors import UserError
from slr_keras.evaluation import checks as own_checks
from slr_keras.evaluation.bits import bits_of
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.measurement import Measurement, Progress
from slr_keras.evaluation.specs import (
    TRANSFER,
    WORST,
    Ball,
    Source,
    Step,
    fitted,
    make_attack,
    make_steps,
)
from slr_keras.evaluation.transfer import check_source
from slr_keras.settings import registry


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        interval: the 95 % Wilson interval of ``accuracy``.
        per_class: the accuracy in each class, None where it has no image.
        right: which images were classified correctly, eight to a byte, as ``np.packbits`` has it,
            in hexadecimal; see :mod:`slr_keras.evaluation.bits`.
    """

    attack: str
    settings: dict[str, Any]
    samples: int
    accuracy: float
    interval: tuple[float, float]
    seconds: float
    per_class: list[float | None]
    right: str = ""


@dataclasses.dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        rows: a row for each attack, the total of a suite and the pointwise worst case.
        robust: (N,) bool: correct after everything.
        checks: what the evaluation says of itself.
    """

    rows: list[Row]
    robust: np.ndarray
    checks: list[own_checks.Check]


def evaluate(
    model: Any,
    x: Any,
    y: Any,
    attacks: Sequence[str] = ("clean", "pgd-20"),
    *,
    norm: str = "linf",
    eps: float = 8 / 255,
    step_size: float | None = None,
    version: str = "standard",
    source: Any = None,
    transfer_attack: str = TRANSFER,
    checks: str = "basic",
    batch_size: int = 128,
    seed: int = 0,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Accuracy of a Keras classifier under several attacks, and whether it can be believed.

    Args:
        model: Keras classifier with logits.
        x: images (N, H, W, C), uint8 or float in [0, 1].
        y: (N,) labels, or one-hot rows.
        attacks: names, as ``["clean", "pgd-20", "cw-linf", "autoattack"]``.
        norm, eps: the ball; pixels in [0, 1], as 8/255.
        step_size: of PGD; a quarter of ``eps`` if left out.
        version: of AutoAttack: ``"standard"``, ``"plus"`` or ``"rand"``.
        source: another Keras classifier with logits of the same classes; adds a row of
            ``transfer_attack``, made on it and judged on ``model``.
        checks: ``"all"``, ``"basic"`` or ``"none"``.
        batch_size: images at once.
        seed: fixes everything that is drawn.
        on_progress: told how far it is.

    Raises:
        UserError: unusable images, labels, model, attack or radius.

    Example:
        >>> report = evaluate(model, x, y, ["pgd-20", "autoattack"])  # doctest: +SKIP
        >>> report.rows[-1].accuracy                                  # doctest: +SKIP
    """
    net = networks.unwrapped(model)
    x, y = usable(net, x, y)
    classes = networks.num_classes(net)
    ball = Ball(norm, eps, step_size)
    steps = make_steps(attacks, ball, version, classes)
    if source is not None:
        other = networks.unwrapped(source)
        steps.append(transfer_step(transfer_attack, ball, other, other.name, net, x))
    for step in steps:
        check_step(step, classes)
    if not steps:
        raise UserError("expected at least one attack, as clean or pgd-20")
    measured = Measurement(
        net, x, y, steps, seed=seed, batch_size=batch_size, on_progress=on_progress
    )
    measured.run()
    found = own_checks.run(measured, checks, seed=seed)
    return Report(rows_of(measured), worst_case(measured), found)


def usable(net: Any, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images and class numbers as arrays; raises :class:`UserError` if they do not fit."""
    check_classifier(net)
    x = np.asarray(x)
    check_images(data.as_float(x[:1]) if x.dtype == np.uint8 else x, networks.input_shape(net))
    return x, check_labels(y, len(x), networks.num_classes(net))


def transfer_step(spec: str, ball: Ball, source: Any, name: str, net: Any, x: np.ndarray) -> Step:
    """An attack by its name on the images ``x``, made on ``source`` and judged on ``net``.

    Raises:
        UserError: no such attack, or a source that does not fit.
    """
    check_source(source, net, x)
    attack = fitted(make_attack(spec, ball), networks.num_classes(net))
    return Step(f"transfer: {spec}", attack, source=Source(name, network_digest(source), source))


def check_step(step: Step, classes: int) -> None:
    """Raise :class:`UserError` if the attack is not defined for so few classes."""
    if step.attack is not None:
        step.attack.check_classes(classes)


# -- rows -------------------------------------------------------------------------------------


def rows_of(measured: Measurement, count: int | None = None) -> list[Row]:
    """The rows of the first ``count`` steps (all of them if left out)."""
    steps = measured.steps[:count]
    rows = []
    for number, step in enumerate(steps):
        rows.append(_step_row(measured, number))
        following = steps[number + 1].suite if number + 1 < len(steps) else ""
        if step.suite and following != step.suite:
            rows.append(_suite_row(measured, number))
    if len(steps) > 1:
        names = list(dict.fromkeys(step.suite or step.name for step in steps))
        seconds = float(measured.tally.seconds[: len(steps)].sum())
        worst = worst_case(measured, len(steps))
        rows.append(_row(measured, WORST, {"attacks": names}, worst, seconds))
    return rows


def worst_case(measured: Measurement, count: int | None = None) -> np.ndarray:
    """(N,) bool: correct after each of the first ``count`` steps."""
    return measured.clean & ~(measured.tally.fooled[:count] > 0).any(axis=0)


def _step_row(measured: Measurement, number: int) -> Row:
    step = measured.steps[number]
    seconds = float(measured.tally.seconds[number])
    return _row(measured, step.name, _settings(step), measured.robust(number), seconds)


def _settings(step: Step) -> dict[str, Any]:
    """What a row says of its attack; empty for the clean one."""
    settings: dict[str, Any] = {} if step.attack is None else registry.describe(step.attack)
    if step.source:
        settings |= {"source": step.source.name, "source_digest": step.source.digest}
    return settings


def _suite_row(measured: Measurement, last: int) -> Row:
    suite = measured.steps[last].suite
    mine = [i for i, step in enumerate(measured.steps) if step.suite == suite]
    first = registry.describe(measured.steps[mine[0]].attack)
    settings = {"norm": first["norm"], "eps": first["eps"]}
    settings["attacks"] = [measured.steps[i].name.partition(": ")[2] for i in mine]
    seconds = float(measured.tally.seconds[mine].sum())
    return _row(measured, suite, settings, measured.robust(last), seconds)


def _row(
    measured: Measurement, name: str, settings: dict[str, Any], right: np.ndarray, seconds: float
) -> Row:
    hits, count, y = int(right.sum()), len(right), measured.y
    among = (right[y == k] for k in range(networks.num_classes(measured.net)))
    shares = [float(part.mean()) if len(part) else None for part in among]
    interval = wilson(hits, count)
    seconds, bits = round(seconds, 2), bits_of(right)
    return Row(name, settings, count, hits / count, interval, seconds, shares, bits)


def curve_of(measured: Measurement, first: int) -> list[dict[str, Any]]:
    """The points of accuracy against epsilon: steps from ``first`` on, as rows with ``eps``."""
    points = []
    for number in range(first, len(measured.steps)):
        row = dataclasses.asdict(_step_row(measured, number))
        points.append(row | {"eps": row["settings"].get("eps", 0.0)})
    return points


def per_class(measured: Measurement, count: int | None = None) -> list[dict[str, Any]]:
    """For each class: images, clean accuracy, and accuracy after the first ``count`` steps."""
    worst, y = worst_case(measured, count), measured.y
    rows: list[dict[str, Any]] = []
    for k in range(networks.num_classes(measured.net)):
        mine = y == k
        shares = [
            float(right[mine].mean()) if mine.any() else None for right in (measured.clean, worst)
        ]
        rows.append(
            {"class": k, "samples": int(mine.sum()), "clean": shares[0], "robust": shares[1]}
        )
    return rows


def adversarials(measured: Measurement) -> dict[str, np.ndarray]:
    """Arrays for a file: images ``x_adv`` (the image itself where nothing fooled it), labels ``y``,
    ``fooled``, the first ``attack`` that did (-1: none), and ``attacks``: its name by that number.
    """
    hit = measured.tally.fooled > 0
    fooled = hit.any(axis=0) & measured.clean
    return {
        "x_adv": measured.adversarial,
        "y": measured.y.astype("int32"),
        "fooled": fooled,
        "attack": np.where(fooled, hit.argmax(axis=0), -1).astype("int32"),
        "attacks": np.array([step.name for step in measured.steps]),
    }


# -- digests ----------------------------------------------------------------------------------


def network_digest(net: Any) -> str:
    """The first 16 digits of the SHA-256 of a network's weights."""
    total = hashlib.sha256()
    for weight in net.get_weights():
        total.update(np.ascontiguousarray(weight).data)
    return total.hexdigest()[:16]


def data_digest(x: np.ndarray, y: np.ndarray) -> str:
    """The first 16 digits of the SHA-256 of images and labels."""
    total = hashlib.sha256(f"{x.shape} {x.dtype}".encode())
    total.update(np.ascontiguousarray(x).data)
    total.update(np.ascontiguousarray(y, "int64").data)
    return total.hexdigest()[:16]


def settings_digest(steps: Sequence[Step], **facts: Any) -> str:
    """The same of what decides the outcome: steps, and ``facts`` beside them."""
    described = [(step.name, step.suite, _settings(step)) for step in steps]
    exact = [getattr(step.attack, "eps", None) for step in steps]
    text = json.dumps([described, exact, facts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
