"""Several attacks on one model: what ``python -m slr_keras.evaluate`` computes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slr_keras import networks
from slr_keras.errors import UserError
from slr_keras.evaluation import checks as own_checks
from slr_keras.evaluation import distances, natural, stored
from slr_keras.evaluation.bits import bits_of
from slr_keras.evaluation.inputs import usable
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
from slr_keras.evaluation.stored import Stored
from slr_keras.evaluation.transfer import check_source
from slr_keras.settings import registry


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        interval: the 95 % Wilson interval of ``accuracy``.
        per_class: the accuracy in each class, None where it has no image.
        distance: of an attack that looks for the nearest adversarial image, how far they are.
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
    distance: distances.Distances | None = None

    def as_dict(self) -> dict[str, Any]:
        """As evaluation.json has it: without ``distance`` where there is none."""
        values = dataclasses.asdict(self)
        return values if self.distance else {k: v for k, v in values.items() if k != "distance"}


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
    check_steps(steps, x, classes)
    if not steps:
        raise UserError("expected at least one attack, as clean or pgd-20")
    measured = Measurement(
        net, x, y, steps, seed=seed, batch_size=batch_size, on_progress=on_progress
    )
    measured.run()
    found = own_checks.run(measured, checks, seed=seed)
    return Report(rows_of(measured), worst_case(measured), found)


def transfer_step(spec: str, ball: Ball, source: Any, name: str, net: Any, x: np.ndarray) -> Step:
    """An attack by its name on the images ``x``, made on ``source`` and judged on ``net``.

    Raises:
        UserError: no such attack, or a source that does not fit.
    """
    check_source(source, net, x)
    attack = fitted(make_attack(spec, ball), networks.num_classes(net))
    return Step(f"transfer: {spec}", attack, source=Source(name, network_digest(source), source))


def check_steps(steps: Sequence[Step], x: np.ndarray, classes: int) -> None:
    """Raise :class:`UserError` if an attack is not defined for so few classes, or images that are
    stored do not fit."""
    for step in steps:
        if step.attack is not None:
            step.attack.check_classes(classes)
        stored.check_fit(step, x, classes)


# -- rows -------------------------------------------------------------------------------------


def rows_of(measured: Measurement, count: int | None = None) -> list[Row]:
    """The rows of the first ``count`` steps (all of them if left out); no certificates."""
    steps = measured.steps[:count]
    optimal = _optimalities(measured, len(steps))
    rows = []
    for number, step in enumerate(steps):
        if step.certificate is None:
            rows.append(_step_row(measured, number, optimal))
        following = steps[number + 1].suite if number + 1 < len(steps) else ""
        if step.suite and following != step.suite:
            rows.append(_suite_row(measured, number))
    if len(_attacks(measured, len(steps))) > 1:
        rows.append(_worst_row(measured, len(steps)))
    return rows


def _worst_row(measured: Measurement, count: int) -> Row:
    mine = _attacks(measured, count)
    names = list(dict.fromkeys(measured.steps[i].suite or measured.steps[i].name for i in mine))
    seconds = float(measured.tally.seconds[mine].sum())
    return _row(measured, WORST, {"attacks": names}, worst_case(measured, count), seconds)


def _attacks(measured: Measurement, count: int | None = None) -> list[int]:
    """Those of the first ``count`` steps that count for the worst case: clean and attacked."""
    steps = enumerate(measured.steps[:count])
    return [number for number, step in steps if step.clean or step.attack is not None]


def worst_case(measured: Measurement, count: int | None = None) -> np.ndarray:
    """(N,) bool: correct after each attack of the first ``count`` steps."""
    hit = measured.tally.fooled[_attacks(measured, count)] > 0
    return np.asarray(measured.clean & ~hit.any(axis=0))


def _step_row(measured: Measurement, number: int, optimal: dict[int, float] | None = None) -> Row:
    step = measured.steps[number]
    seconds = float(measured.tally.seconds[number])
    y = step.labels(measured.y)
    row = _row(measured, step.name, _settings(step), measured.robust(number), seconds, y)
    if not step.nearest:
        return row
    found = dataclasses.replace(
        _distances(measured, number), optimality=(optimal or {}).get(number)
    )
    return dataclasses.replace(row, distance=found)


def _distances(measured: Measurement, number: int) -> distances.Distances:
    """What an attack of this number says; images that are wrong as they are lie at distance 0."""
    attack: Any = measured.steps[number].attack
    values = np.where(measured.clean, measured.tally.value[number], 0.0)
    return distances.summary(values, measured.clean, attack.norm)


def _optimalities(measured: Measurement, count: int) -> dict[int, float]:
    """The optimality of the attacks that look for the nearest image, by their number."""
    mine = [number for number in range(count) if measured.steps[number].nearest]
    if len(mine) < 2:
        return {}
    clean, value = measured.clean, measured.tally.value
    rows = {str(number): np.where(clean, value[number], 0.0) for number in mine}
    return {int(name): share for name, share in distances.optimality(rows).items()}


def _settings(step: Step) -> dict[str, Any]:
    """What a row says of its attack; empty for the clean one."""
    if isinstance(step.corruption, Stored):
        return step.corruption.described()
    variant = step.attack or step.corruption
    settings: dict[str, Any] = {} if variant is None else registry.describe(variant)
    if step.source:
        settings |= {"source": step.source.name, "source_digest": step.source.digest}
    return settings


def _suite_row(measured: Measurement, last: int) -> Row:
    suite = measured.steps[last].suite
    mine = [i for i, step in enumerate(measured.steps) if step.suite == suite]
    seconds = float(measured.tally.seconds[mine].sum())
    names = [measured.steps[i].name.partition(": ")[2] for i in mine]
    if measured.steps[last].corruption is not None:
        return _mean_row(measured, suite, mine, {"kinds": names}, seconds)
    first = registry.describe(measured.steps[mine[0]].attack)
    settings = {"norm": first["norm"], "eps": first["eps"], "attacks": names}
    return _row(measured, suite, settings, measured.robust(last), seconds)


def _mean_row(
    measured: Measurement, name: str, mine: list[int], settings: dict[str, Any], seconds: float
) -> Row:
    """The mean over natural changes: no image is right or wrong as a whole."""
    right = np.stack([measured.robust(i) for i in mine])
    mean, interval = natural.mean_of(right)
    y = measured.steps[mine[0]].labels(measured.y)
    among = (right[:, y == k] for k in range(networks.num_classes(measured.net)))
    shares = [float(part.mean()) if part.size else None for part in among]
    return Row(name, settings, right.shape[1], mean, interval, round(seconds, 2), shares)


def _row(
    measured: Measurement,
    name: str,
    settings: dict[str, Any],
    right: np.ndarray,
    seconds: float,
    labels: np.ndarray | None = None,
) -> Row:
    hits, count, y = int(right.sum()), len(right), measured.y if labels is None else labels
    among = (right[y == k] for k in range(networks.num_classes(measured.net)))
    shares = [float(part.mean()) if len(part) else None for part in among]
    interval = wilson(hits, count)
    seconds, bits = round(seconds, 2), bits_of(right)
    return Row(name, settings, count, hits / count, interval, seconds, shares, bits)


def curve_of(measured: Measurement, first: int, radii: Sequence[float]) -> list[dict[str, Any]]:
    """The points of accuracy against epsilon: steps from ``first`` on, as rows with ``eps``.

    There is a step for each radius, or one for all: an attack that gives distances.
    """
    points = []
    for number in range(first, len(measured.steps)):
        row = _step_row(measured, number)
        points += _at_radii(measured, number, row, radii) if row.distance else [row]
    eps = [row.settings.get("eps", 0.0) for row in points]
    return [row.as_dict() | {"eps": e} for row, e in zip(points, eps, strict=True)]


def _at_radii(measured: Measurement, number: int, row: Row, radii: Sequence[float]) -> list[Row]:
    """A row for each radius, from the distances that one attack found."""
    attack: Any = measured.steps[number].attack
    values, rows = measured.tally.value[number], []
    for eps in radii:
        right = distances.accuracy_at(values, measured.clean, eps)
        settings = registry.describe(attack.replace(eps=eps))
        rows.append(
            _row(measured, f"{row.attack} at {settings['eps']}", settings, right, row.seconds)
        )
    return rows


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
