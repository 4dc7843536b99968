"""JAX: whole steps compiled by XLA, the fastest of the three on GPUs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slr_keras.backend import keras
from slr_keras.backend._jax_processes import alone, end_with, gather, is_loss, join, part

__all__ = ["alone", "end_with", "gather", "is_loss", "join", "part"]  # reached through the package

Tensor = Any
JIT_COMPILE = True  # without XLA nothing is compiled at all
ANY_ROWS = False  # a number of rows is compiled for


def input_gradient(objective: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradient of ``sum(objective(x))`` with respect to ``x`` alone."""
    return jax.grad(lambda image: jnp.sum(objective(image)))(jnp.asarray(x))


def input_gradient_and_values(
    function: Callable[[Tensor], tuple[Tensor, Any]], x: Tensor
) -> tuple[Tensor, Tensor, Any]:
    """Gradient of ``sum(function(x)[0])`` with respect to ``x``, and what ``function`` returned."""

    def summed(image: Tensor) -> tuple[Tensor, Any]:
        value, more = function(image)
        return jnp.sum(value), (value, more)

    gradient, (value, more) = jax.grad(summed, has_aux=True)(jnp.asarray(x))
    return gradient, value, more


def loop(first: Any, last: Any, body: Callable[[Tensor, Any], Any], state: Any) -> Any:
    """``state = body(i, state)`` for i in [first, last), as a loop in the graph (traced once).

    Bounds may be tensors, ``state`` any nesting of tensors whose shapes and dtypes stay.
    """
    leaves = jax.tree.leaves((first, last, state))
    if not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):  # eager
        for i in range(int(first), int(last)):
            state = body(i, state)
        return state
    return jax.lax.fori_loop(first, last, body, state)


def repeat(times: int, body: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``body`` applied ``times`` times, as a loop in the graph (traced once)."""
    return body(x) if times == 1 else loop(0, times, lambda _, value: body(value), x)


def in_parts(function: Callable[..., Any], *rows: Any) -> Any:
    """``function(*rows)``: XLA shares an operation between the cores itself."""
    return function(*rows)


def share_cores(training: bool) -> None:
    """Nothing to do: an operation has all cores."""


def record(
    times: Any, most: int, body: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor
) -> tuple[Tensor, Tensor]:
    """Like :func:`repeat` with a number of times that is only known later.

    ``body`` gives its result and something beside it; both are returned for every time, stacked,
    with room for ``most`` times, so that no other number of times compiles anything.
    """
    shapes = jax.eval_shape(body, x)
    rows = [jnp.zeros((most, *shape.shape), shape.dtype) for shape in shapes]

    def step(number: Tensor, state: Any) -> Any:
        value, *filled = state
        made = body(value)
        return made[0], *(row.at[number].set(new) for row, new in zip(filled, made, strict=True))

    _, results, seen = loop(0, times, step, (x, *rows))
    return results, seen


def watched(
    function: Callable[[Tensor], Tensor], x: Tensor, use: Callable[[Callable[..., Tensor]], Any]
) -> tuple[Any, Tensor]:
    """``(use(function), function(x))``; where ``use`` begins with the latter XLA computes it once.

    (What is computed inside of a gradient cannot be taken out of it.)
    """
    return use(function), function(x)


def compiled(function: Callable[..., Any], *shapes_and_dtypes: tuple[Any, str]) -> Any:
    """``function`` compiled once for each combination of its arguments' shapes.

    Keras variables that it reads are arguments of what is compiled, those that it writes are
    results: it sees every later state of a network, as it would uncompiled.
    """
    return _Compiled(function)


class _Compiled:
    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.made: dict[Any, tuple[list[Any], list[Any], Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        # of NumPy's arrays every process of several has the same
        place = np.asarray if jax.process_count() > 1 else jnp.asarray
        arguments = jax.tree.map(place, arguments)
        leaves, structure = jax.tree.flatten(arguments)
        key = (structure, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves))
        if key not in self.made:
            self.made[key] = self._make(arguments)
        read, written, run = self.made[key]
        out, values = run([variable.value for variable in read], arguments)
        for variable, value in zip(written, values, strict=True):
            variable.assign(value)
        return out

    def _make(self, arguments: Any) -> tuple[list[Any], list[Any], Any]:
        """The variables that the function reads and writes, and the function of them."""
        watch = _Watch()

        def watched(arguments: Any) -> Any:
            with watch:
                return self.function(*arguments)

        jax.eval_shape(watched, arguments)
        read, written = list(watch.read.values()), list(watch.written.values())

        @jax.jit
        def run(values: Any, arguments: Any) -> Any:
            with keras.StatelessScope(list(zip(read, values, strict=True))) as scope:
                out = self.function(*arguments)
            return out, [scope.get_current_value(variable) for variable in written]

        return read, written, run


class _Watch(keras.StatelessScope):
    """Notes which variables are read and written."""

    def __init__(self) -> None:
        super().__init__()
        self.read: dict[int, Any] = {}
        self.written: dict[int, Any] = {}

    def get_current_value(self, variable: Any) -> Any:
        self.read[id(variable)] = variable
        return super().get_current_value(variable)

    def add_update(self, update: Any) -> None:
        self.written[id(update[0])] = update[0]
        super().add_update(update)


def batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch-normalise NHWC images; returns ``(y, mean, unbiased variance)``."""
    wide = x.astype("float32")
    mean, variance = jnp.mean(wide, (0, 1, 2)), jnp.var(wide, (0, 1, 2))
    y = (wide - mean) * (jax.lax.rsqrt(variance + epsilon) * gamma) + beta
    count = x.size // x.shape[-1]
    return y.astype(x.dtype), mean, variance * (count / max(count - 1, 1))


def keep_compiled() -> None:
    """What one process compiled in more than a fifth of a second, the next one reads.

    In ``$XDG_CACHE_HOME/slr_keras`` or ``~/.cache/slr_keras``, in a folder for this processor,
    unless JAX was told another place (``JAX_COMPILATION_CACHE_DIR``; empty: none).
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or jax.config.jax_compilation_cache_dir:
        return
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = f"jax-{jax.__version__}-{_processor()}"
    jax.config.update("jax_compilation_cache_dir", os.path.join(caches, "slr_keras", folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def _processor() -> str:
    """A name for the machine's instructions: what is compiled for others may not run here."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            facts = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        facts = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {facts}".encode()).hexdigest()[:12]


def where_rows(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Rows of ``a`` where ``mask`` (B,) is true, else of ``b``."""
    return keras.ops.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b)


def read_rows(variable: Any, index: Tensor) -> Tensor:
    """Rows ``index`` of a Keras variable."""
    return variable.value[index]


def write_rows(variable: Any, index: Tensor, rows: Tensor) -> None:
    """Overwrite rows ``index`` of a Keras variable, in place where the step donates its state."""
    whole = variable.value
    traced = isinstance(whole, jax.core.Tracer)
    variable.assign(whole.at[index].set(rows) if traced else _set_rows(whole, index, rows))


@functools.partial(jax.jit, donate_argnums=0)
def _set_rows(whole: Tensor, index: Tensor, rows: Tensor) -> Tensor:
    """In place also outside of a step."""
    return whole.at[index].set(rows)


def array(variable: Any) -> np.ndarray:
    """The value of a Keras variable; on CPU it is the variable's own memory, to read at once."""
    return np.asarray(variable.value)


def feed(batches: Any, epoch: int, batch: int) -> Iterator[Any]:
    """The batches from a position on, without end, made ahead by a thread."""
    return batches.stream(epoch, batch)


def synchronise(model: Any) -> None:
    """Put the state that ``fit`` holds back into the model's variables, for callbacks to read."""
    model.jax_state_sync()


def make_deterministic() -> None:
    """Nothing to do: on CPU XLA repeats itself; on GPU see ``--xla_gpu_deterministic_ops``."""


def full_precision() -> Any:
    """A context; what is compiled in it computes in float32 on GPUs too, not in TensorFloat-32."""
    return jax.default_matmul_precision("highest")


def versions() -> dict[str, str]:
    """The framework's name and version."""
    return {"jax": jax.__version__}


def devices() -> list[str]:
    """The devices that can share a batch."""
    return [str(device) for device in jax.devices()]


@contextlib.contextmanager
def on_devices(count: int) -> Iterator[None]:
    """Models that are made in it share each batch between the first ``count`` devices."""
    if count > 1:
        first = keras.distribution.list_devices()[:count]
        shared = keras.distribution.DataParallel(devices=first, auto_shard_dataset=False)
        keras.distribution.set_distribution(shared)
    yield


def device_memory() -> int:
    """Bytes of memory of the GPU that trains; 0 on a CPU."""
    device = jax.local_devices()[0]
    limits = (device.memory_stats() or {}) if device.platform != "cpu" else {}
    return int(limits.get("bytes_limit", 0))


def gpu_problem() -> str:
    """Why no GPU computes, in words; empty where one does."""
    try:
        return "" if jax.devices("gpu") else "JAX sees none"
    except RuntimeError as error:
        return f"{str(error).splitlines()[0]}; pip install 'jax[cuda12]'"


def describe_device() -> str:
    """The device that computes, in words."""
    device = jax.devices()[0]
    return "CPU" if device.platform == "cpu" else device.device_kind


class TrainStep:
    """``train_step`` and ``test_step`` as JAX' Keras trainer wants them: state in, state out."""

    def train_step(self: Any, state: Any, data: Any) -> tuple[dict[str, Tensor], Any]:
        """Attack, refine, update: one optimisation step, compiled as a whole."""
        with self._scope(state) as scope:
            logs = self.train_batch(data, functools.partial(self._gradients, scope))
        return logs, self._state(scope)

    def _gradients(self: Any, outer: Any, function: Callable[[], Any]) -> tuple[Any, Any]:
        trainable, rest, optimizer, metrics = self._state(outer)

        def differentiated(weights: Any) -> tuple[Tensor, Any]:
            """The scaled loss, and beside it what ``function`` gives and what it has moved."""
            with self._scope((weights, rest, optimizer, metrics)) as scope:
                found = function()
                scaled = self.optimizer.scale_loss(found[0])
            return scaled, (found, self._state(scope)[1])

        gradients, (found, moved) = jax.grad(differentiated, has_aux=True)(trainable)
        for variable, value in zip(self.non_trainable_variables, moved, strict=True):
            variable.assign(value)
        return gradients, found

    def joined(self, gradients: list[Tensor]) -> list[Tensor]:
        """The gradients of all devices together, as they are."""
        return gradients

    def update(self: Any, gradients: list[Tensor]) -> None:
        """The optimiser moves the weights."""
        self.optimizer.apply(gradients, self.trainable_variables)

    def test_step(self: Any, state: Any, data: Any) -> tuple[dict[str, Tensor], Any]:
        """Clean and robust accuracy of a batch."""
        trainable, rest, metrics = state
        with self._scope((trainable, rest, None, metrics)) as scope:
            logs = self.evaluate_batch(data)
        trainable, rest, _, metrics = self._state(scope)
        return logs, (trainable, rest, metrics)

    def __setattr__(self, name: str, value: Any) -> None:
        """``fit`` keeps all state here after every step; Keras would look through it for layers."""
        if name == "_jax_state":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def make_train_function(self: Any, force: bool = False) -> None:
        """As Keras', but ``force`` really traces anew: JAX takes equal methods for the same."""
        if force:
            self.train_step = functools.partial(type(self).train_step, self)
        super().make_train_function(force=force)  # type: ignore[misc]

    def _variables(self: Any) -> tuple[list[Any], ...]:
        optimizer = self.optimizer.variables if self.optimizer is not None else []
        groups = (self.trainable_variables, self.non_trainable_variables, optimizer)
        return (*groups, self.metrics_variables)

    def _scope(self: Any, state: Any) -> Any:
        """The variables have these values inside; a group that is None keeps its own."""
        mapping = [
            pair
            for group, values in zip(self._variables(), state, strict=True)
            if values is not None
            for pair in zip(group, values, strict=True)
        ]
        return keras.StatelessScope(mapping)

    def _state(self: Any, scope: Any) -> tuple[list[Any], ...]:
        """The values at the end of a scope."""
        return tuple(
            [scope.get_current_value(variable) for variable in group] for group in self._variables()
        )
