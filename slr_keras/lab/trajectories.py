"""An attack on one image, step by step, and what can be said about it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.attacks._base import Attack
from slr_keras.attacks._loop import Loop
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._staged import Staged
from slr_keras.backend import ops
from slr_keras.lab.engine import MOST, Engine, Moves

FRAME_BYTES = 4 * 2**20  # what the frames of one answer may weigh
BREATH = 0.05  # seconds of steps that run before the lab looks whether something newer came
FLAT = 1e-6  # a loss that moves less than this does not move

Watch = Callable[["Point"], None]


@dataclasses.dataclass(frozen=True)
class Point:
    """An iterate of a loop: ``done`` of ``total`` steps were made over all restarts."""

    done: int
    total: int
    image: np.ndarray
    logits: np.ndarray


@dataclasses.dataclass
class Trajectory:
    """The path of one loop, start first. ``frames`` is None where it would be too large.

    Attributes:
        final: (H, W, C) the last iterate.
        logits: (K,) of every iterate.
    """

    final: np.ndarray
    logits: list[np.ndarray]
    frames: list[np.ndarray] | None

    def add(self, image: np.ndarray, logits: np.ndarray) -> None:
        """One more iterate."""
        self.final = image
        self.logits.append(logits)
        if self.frames is not None:
            self.frames.append(image)

    def losses(self, label: int) -> tuple[float, ...]:
        """Cross-entropy of the label at every iterate."""
        return tuple(cross_entropy(z, label) for z in self.logits)

    def margins(self, label: int) -> tuple[float, ...]:
        """``z_y - max other logit`` at every iterate."""
        return tuple(margin(z, label) for z in self.logits)

    def fooled_at(self, label: int, targeted: bool) -> int | None:
        """The first iterate that fools."""
        found = (step for step, z in enumerate(self.logits) if fools(z, label, targeted))
        return next(found, None)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities in float64."""
    z = np.exp(logits.astype("float64") - logits.max())
    return z / z.sum()


def cross_entropy(logits: np.ndarray, label: int) -> float:
    """``-log softmax(z)_y``."""
    z = logits.astype("float64") - logits.max()
    return float(np.log(np.exp(z).sum()) - z[label])


def margin(logits: np.ndarray, label: int) -> float:
    """``z_y - max_{i != y} z_i``: positive while the label wins."""
    return float(logits[label]) - float(np.delete(logits, label).max())


def fools(logits: np.ndarray, label: int, targeted: bool) -> bool:
    """Whether the attack has reached its aim."""
    return bool((np.argmax(logits) == label) == targeted)


def follow(
    engine: Engine, attack: Attack, image: np.ndarray, label: int, seed: int, watch: Watch
) -> Generator[None, None, Trajectory]:
    """Runs an attack; yields after a few steps, so that the caller may give up.

    The result is that of ``attack(engine.net, image[None], [label], seed=seed)``. With restarts
    the trajectory is that of the loop that gave it. An attack without steps runs as a whole, or
    from stop to stop.

    Args:
        image: float32 (H, W, C) in [0, 1].
        watch: receives an iterate now and then.
    """
    x, y = image[None], np.array([label], "int32")
    if isinstance(attack, Loop):
        return (yield from _walk(engine, attack, x, y, seed, watch))
    if not hasattr(attack, "step"):
        return (yield from _whole(engine, attack, x, y, seed, watch))
    moves, restarts = engine.moves(attack), int(getattr(attack, "restarts", 1))
    first, *others = moves.starts(x, moves.numbers(attack), seed, restarts)
    steps = _steps(attack)
    best = yield from _loop(engine, attack, x, y, first, (0, restarts * steps), watch)
    for number, start in enumerate(others, 1):
        done = number * steps, restarts * steps
        path = yield from _loop(engine, attack, x, y, start, done, watch)
        best = _better(moves, best, path, y)
    return best


def _steps(attack: Attack) -> int:
    return int(getattr(attack, "steps", 1))


def _loop(
    engine: Engine,
    attack: Attack,
    x: np.ndarray,
    y: np.ndarray,
    start: Any,
    done: tuple[int, int],
    watch: Watch,
) -> Generator[None, None, Trajectory]:
    """One loop from a start; ``done`` steps were made of so many before it."""
    moves, numbers = engine.moves(attack), engine.moves(attack).numbers(attack)
    steps, count, made = _steps(attack), 1, 0
    path = Trajectory(x[0], [], [] if (steps + 1) * x.nbytes <= FRAME_BYTES else None)
    candidate = ops.convert_to_numpy(start)
    while made < steps:
        begun = time.monotonic()
        iterates, logits = moves.steps(x, candidate, y, count, numbers)
        for image, seen in zip([candidate, *iterates[:-1]], logits, strict=True):
            path.add(image[0], seen[0])
        made, candidate = made + count, iterates[-1]
        watch(Point(done[0] + made - 1, done[1], path.final, path.logits[-1]))
        a_step = (time.monotonic() - begun) / count
        count = max(1, min(steps - made, MOST, int(BREATH / a_step)))
        yield
    path.add(candidate[0], engine.logits(candidate)[0])
    return path


def _walk(
    engine: Engine, attack: Loop, x: np.ndarray, y: np.ndarray, seed: int, watch: Watch
) -> Generator[None, None, Trajectory]:
    """The path of an attack that carries a state; its result comes last where it is another image
    than the last iterate, as with a search for the nearest one."""
    steps, begun = attack.length, time.monotonic()
    path = Trajectory(x[0], [], [] if (steps + 2) * x.nbytes <= FRAME_BYTES else None)
    unseen: list[np.ndarray] = []
    before = x
    for number, image in enumerate(engine.loops(attack).walk(attack, x, y, seed)):
        if number <= steps or not np.array_equal(image, before):
            unseen.append(image)
        before = image
        if number < steps and (time.monotonic() - begun > BREATH or len(unseen) == MOST):
            _see(engine, path, unseen)
            watch(Point(number, steps, path.final, path.logits[-1]))
            unseen, begun = [], time.monotonic()
            yield
    _see(engine, path, unseen)
    return path


def _see(engine: Engine, path: Trajectory, images: list[np.ndarray]) -> None:
    """Add images to a path with what the network says of them."""
    if images:
        for image, seen in zip(images, engine.logits(np.concatenate(images)), strict=True):
            path.add(image[0], seen)


def _better(moves: Moves, best: Trajectory, new: Trajectory, y: np.ndarray) -> Trajectory:
    chosen = moves.better(best.final[None], new.final[None], y)[0]
    return best if np.array_equal(chosen, best.final) else new


def _whole(
    engine: Engine, attack: Attack, x: np.ndarray, y: np.ndarray, seed: int, watch: Watch
) -> Generator[None, None, Trajectory]:
    """Start and end of an attack that has no single steps."""
    if isinstance(attack, Staged):
        final = yield from _staged(engine, attack, x, y, seed, watch)
    else:
        yield
        final = engine.run(attack, x, y, seed=seed)
    frames = [x[0], final[0]] if 2 * x.nbytes <= FRAME_BYTES else None
    return Trajectory(final[0], list(engine.logits(np.concatenate([x, final]))), frames)


def _staged(
    engine: Engine, attack: Staged, x: np.ndarray, y: np.ndarray, seed: int, watch: Watch
) -> Generator[None, None, np.ndarray]:
    """The result of a staged attack; yields at each of its stops."""
    iterations, best = (0, *attack.stops()), x
    total = len(attack.rounds()) * iterations[-1]
    for stop in engine.run.stops(attack, x, y, seed=seed):
        best = ops.convert_to_numpy(attack.result(x, stop.state)) if stop.state else stop.best
        done = stop.round * iterations[-1] + iterations[stop.stop]
        if done < total:
            watch(Point(done, total, best[0], engine.logits(best)[0]))
        yield
    return best


def distance(attack: Attack, image: np.ndarray, adversarial: np.ndarray) -> float:
    """The perturbation in the attack's norm."""
    d = ops.convert_to_tensor((adversarial - image)[None])
    return float(ops.convert_to_numpy(attack.ball.size(d))[0])


def doubts(
    engine: Engine, attack: Attack, image: np.ndarray, label: int, path: Trajectory
) -> list[str]:
    """Why the attack may be failing, a sentence each."""
    found = reach(attack)
    losses = path.losses(label)
    gain = losses[0] - losses[-1] if attack.targeted else losses[-1] - losses[0]
    fooled = fools(path.logits[-1], label, attack.targeted)
    if attack.eps == 0 or not hasattr(attack, "step"):
        return found
    if max(losses) - min(losses) < FLAT:
        found.append(_why_flat(engine, attack, image, label, path))
    elif gain < 0 and not fooled:
        found.append(
            f"The attack ended worse than it began (loss {losses[0]:.3g} at the start, "
            f"{losses[-1]:.3g} at the end): its steps may be too large. Try a smaller step size."
        )
    return found


def _why_flat(
    engine: Engine, attack: Attack, image: np.ndarray, label: int, path: Trajectory
) -> str:
    if _gradient_vanishes(engine, attack, path.frames[0] if path.frames else image, label):
        return (
            "The gradient of the loss is zero here, so the attack has no direction to go: that "
            "the model resists says nothing about its robustness. Try a larger radius, more "
            "restarts or an attack that needs no gradient."
        )
    return (
        f"The loss did not change in {len(path.logits) - 1} steps: that the model resists may say "
        "nothing about its robustness. Try a larger step size or more restarts."
    )


def _gradient_vanishes(engine: Engine, attack: Attack, image: np.ndarray, label: int) -> bool:
    logits = engine.inference.on(engine.folded)
    objective = Objective(logits, np.array([label], "int32"), attack.targeted)
    gradient = backend.input_gradient(objective, ops.convert_to_tensor(image[None]))
    return not ops.convert_to_numpy(gradient).any()


def reach(attack: Attack) -> list[str]:
    """A sentence if the steps are too short to cross the ball."""
    size, steps = getattr(attack, "step_size", None), _steps(attack)
    if size is None or size * steps >= attack.eps:
        return []
    return [
        f"{steps} {'step' if steps == 1 else 'steps'} of {_radius(attack, size)} "
        f"go {_radius(attack, size * steps)} at most and never cross the ball of radius "
        f"{_radius(attack, attack.eps)}. Take more steps or larger ones."
    ]


def _radius(attack: Attack, value: float) -> str:
    return f"{255 * value:.3g}/255" if attack.norm == "linf" else f"{value:.3g}"


class Clock:
    """When to show an iterate of a long attack: at once, then at most 20 times a second."""

    INTERVAL = 0.05
    SHORT = 0.1  # what is done sooner than this is shown when it is done

    def __init__(self) -> None:
        self.begun, self.shown = time.monotonic(), 0.0

    def due(self, done: int, total: int) -> bool:
        """Whether to show the iterate reached after ``done`` of ``total`` steps."""
        now = time.monotonic()
        spent = (now - self.begun) / (done + 1)
        if spent * total < self.SHORT or now - self.shown < self.INTERVAL:
            return False
        self.shown = now
        return True
