"""A network with its compiled functions: made once, then fed with other weights and numbers."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from slr_keras import backend, networks
from slr_keras.attacks._arrays import Runner
from slr_keras.attacks._base import Attack
from slr_keras.attacks._loop import Loop, State
from slr_keras.attacks._numbers import seeded, signature, tensors
from slr_keras.attacks._objective import Objective
from slr_keras.attacks.pgd import PGD
from slr_keras.backend import keras, ops
from slr_keras.errors import ModelError
from slr_keras.inference import InferenceNetwork

Tensor = Any
COUNTS = ("steps", "restarts")  # what the lab's own loop counts
MOST = 64  # steps that run without a look at what the window asks
DEFAULT_SIZE = 32  # where a network takes images of any size


class Engine:
    """One network in inference mode.

    New weights, radii, step sizes, labels and seeds are arguments of functions that are compiled
    once for each kind of attack.

    Args:
        net: built Keras model that returns logits.

    Attributes:
        run: runs attacks that have no single steps, ``run(attack, x, y, seed=seed)``.
    """

    def __init__(self, net: Any):
        self.net, self.run = net, Runner(net)
        self.inference = InferenceNetwork(net)
        self.folded: list[Tensor] = []
        self._moves: dict[Any, Moves] = {}
        self._loops: dict[Any, Loops] = {}
        self.fold()
        self._logits = self.compiled(self._logits_on, self.images)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(H, W, C); None where the network takes any size."""
        return tuple(networks.input_shape(self.net)[1:])

    @property
    def num_classes(self) -> int:
        """K."""
        return networks.num_classes(self.net)

    @property
    def images(self) -> tuple[Any, str]:
        """Shape and dtype of a batch of images."""
        return (None, *self.input_shape), "float32"

    def assign(self, weights: Sequence[np.ndarray]) -> None:
        """Compute with other weights of the same architecture."""
        self.net.set_weights(list(weights))
        self.fold()

    def fold(self) -> None:
        """Take the network's weights as they are now."""
        self.folded = self.inference.fold()

    def compiled(self, function: Callable[..., Any], *signature: tuple[Any, str]) -> Any:
        """``function(*arguments, folded)`` compiled, to be called with the arguments alone."""
        kind = keras.backend.standardize_dtype
        folded = [(tuple(value.shape), kind(value.dtype)) for value in self.folded]
        count = len(signature)

        def flat(*arguments: Tensor) -> Any:
            return function(*arguments[:count], arguments[count:])

        run = backend.compiled(flat, *signature, *folded)
        return lambda *arguments: run(*arguments, *self.folded)

    def _logits_on(self, images: Tensor, folded: Sequence[Tensor]) -> Tensor:
        return self.inference.on(folded)(images)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """(N, K) logits of (N, H, W, C) images."""
        return _finite(ops.convert_to_numpy(self._logits(_tensor(images))))

    def moves(self, attack: Attack) -> Moves:
        """The moves of an attack that goes step by step, compiled for its kind."""
        counted = {name: 1 for name in COUNTS if hasattr(attack, name)}
        kind = attack.replace(**counted).kind()
        if kind not in self._moves:
            self._moves[kind] = Moves(self, attack)
        return self._moves[kind]

    def loops(self, attack: Loop) -> Loops:
        """Beginning, step and result of an attack that carries a state, compiled for its kind."""
        kind = attack.kind()
        if kind not in self._loops:
            self._loops[kind] = Loops(self, attack)
        return self._loops[kind]

    def warm_up(self, norm: str) -> None:
        """Compile what the first attack needs, so that it answers at once."""
        sizes = [DEFAULT_SIZE if size is None else size for size in self.input_shape]
        image, label = np.full((1, *sizes), 0.5, "float32"), np.zeros(1, "int32")
        self.logits(image)
        attack = PGD(norm=norm, eps=1e-3)
        moves = self.moves(attack)
        numbers = moves.numbers(attack)
        [start] = moves.starts(image, numbers, seed=0, count=1)
        moves.steps(image, start, label, 1, numbers)


class Moves:
    """Start, step and choice of one kind of attack on one engine, compiled.

    The same code as in a whole attack, with ``eps``, ``step_size`` and the like as tensors.
    """

    def __init__(self, engine: Engine, attack: Attack):
        self.attack, self.inference, self.seeds = attack, engine.inference, seeded(0)
        numbers = signature(attack.numbers())
        images, labels, count = engine.images, ((None,), "int32"), ((), "int32")
        self._start = backend.compiled(self._start_on, images, *numbers)
        self._steps = engine.compiled(self._steps_on, images, images, labels, count, *numbers)
        self._better = engine.compiled(self._better_on, images, images, labels)

    def _with(self, numbers: Sequence[Tensor]) -> Any:
        """The attack with tensors in place of its numbers."""
        return self.attack.given(dict(zip(self.attack.numbers(), numbers, strict=True)))

    def _start_on(self, image: Tensor, *numbers: Tensor) -> Tensor:
        return self._with(numbers).start(image, self.seeds)

    def _steps_on(
        self, image: Tensor, start: Tensor, label: Tensor, count: Tensor, *rest: Any
    ) -> Any:
        """The iterates after ``start``, and the logits before each, which gradients need anyway."""
        *numbers, folded = rest
        logits, attack = self.inference.on(folded), self._with(numbers)

        def step(candidate: Tensor) -> tuple[Tensor, Tensor]:
            def move(watched: Callable[[Tensor], Tensor]) -> Tensor:
                return attack.step(Objective(watched, label, attack.targeted), image, candidate)

            return backend.watched(logits, candidate, move)

        return backend.record(count, MOST, step, start)

    def _better_on(self, a: Tensor, b: Tensor, label: Tensor, folded: Sequence[Tensor]) -> Tensor:
        objective = Objective(self.inference.on(folded), label, self.attack.targeted)
        return self.attack.better(objective, a, b)

    @staticmethod
    def numbers(attack: Attack) -> list[Tensor]:
        """The attack's numbers as tensors, for the moves below."""
        return list(tensors(attack.numbers()).values())

    def starts(
        self, image: np.ndarray, numbers: Sequence[Tensor], seed: int, count: int
    ) -> list[Tensor]:
        """As many starts as there are loops, drawn as an attack called with ``seed`` does."""
        self.seeds.state.assign([seed, 0])
        return [self._start(_tensor(image), *numbers) for _ in range(count)]

    def steps(
        self,
        image: np.ndarray,
        candidate: Tensor,
        label: np.ndarray,
        count: int,
        numbers: Sequence[Tensor],
    ) -> tuple[np.ndarray, np.ndarray]:
        """``count`` steps, :data:`MOST` at most: the iterates (T, B, H, W, C) after them and the
        logits (T, B, K) before."""
        run = self._steps(
            _tensor(image),
            _tensor(candidate),
            ops.convert_to_tensor(label),
            ops.convert_to_tensor(count, "int32"),
            *numbers,
        )
        iterates, logits = (ops.convert_to_numpy(found)[:count] for found in run)
        return iterates, _finite(logits)

    def better(self, a: np.ndarray, b: np.ndarray, label: np.ndarray) -> np.ndarray:
        """What the attack itself chooses of two results."""
        return ops.convert_to_numpy(
            self._better(_tensor(a), _tensor(b), ops.convert_to_tensor(label))
        )


class Loops:
    """Beginning, step and result of one kind of attack that carries a state, compiled.

    The same code as in a whole attack, with its numbers as tensors.
    """

    def __init__(self, engine: Engine, attack: Loop):
        self.attack, self.engine, self.seeds = attack, engine, seeded(0)
        self._first = backend.compiled(self._first_on)
        self._then = backend.compiled(self._then_on)
        self._last = backend.compiled(self._last_on)

    def _objective(self, label: Tensor, folded: Sequence[Tensor]) -> Objective:
        return Objective(self.engine.inference.on(folded), label, self.attack.targeted)

    def _first_on(self, x: Tensor, label: Tensor, numbers: Any, folded: Any) -> Any:
        attack = self.attack.given(numbers)
        state = attack.first(self._objective(label, folded), x, attack.origin(x, self.seeds))
        return state, attack.here(state)

    def _then_on(
        self, x: Tensor, label: Tensor, i: Tensor, state: State, numbers: Any, folded: Any
    ) -> Any:
        attack = self.attack.given(numbers)
        state = attack.then(self._objective(label, folded), x, i, state)
        return state, attack.here(state)

    def _last_on(self, x: Tensor, state: State, numbers: Any) -> Tensor:
        return self.attack.given(numbers).last(x, state)

    def walk(
        self, attack: Loop, image: np.ndarray, label: np.ndarray, seed: int
    ) -> Iterator[np.ndarray]:
        """The images (B, H, W, C) that the loop is at, from its beginning to its last step, then
        the result."""
        self.seeds.state.assign([seed, 0])
        x, y, numbers = _tensor(image), ops.convert_to_tensor(label), tensors(attack.numbers())
        folded = list(self.engine.folded)
        state, here = self._first(x, y, numbers, folded)
        yield ops.convert_to_numpy(here)
        for step in range(attack.length):
            i = ops.convert_to_tensor(step, "int32")
            state, here = self._then(x, y, i, state, numbers, folded)
            yield ops.convert_to_numpy(here)
        yield ops.convert_to_numpy(self._last(x, state, numbers))


def _tensor(value: Any) -> Tensor:
    return ops.convert_to_tensor(value, "float32")


def _finite(logits: np.ndarray) -> np.ndarray:
    if not np.isfinite(logits).all():
        raise ModelError(
            "the model answers with NaN or infinite logits, so nothing can be said of it. "
            "Choose an earlier epoch."
        )
    return logits


def digest_of(weights: Sequence[np.ndarray]) -> str:
    """SHA-256 of weights, shapes and types included."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def architecture_of(net: Any) -> str:
    """The same text for networks of the same layers, whatever number Keras gave their names.

    A network that cannot be written down gets a text of its own, and so does a subclassed one,
    whose layers are known to its code alone.
    """
    if not networks.is_graph(net):
        return f"#{uuid.uuid4()}"
    try:
        text = json.dumps(net.get_config(), sort_keys=True, default=str)
    except Exception:  # a layer of the user's without get_config
        return f"#{uuid.uuid4()}"
    for number, layer in enumerate(net.layers):
        text = text.replace(json.dumps(layer.name), f'"#{number}"')
    return text
