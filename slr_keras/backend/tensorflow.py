"""TensorFlow: the default backend and the reference for the others."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import itertools
import operator
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from slr_keras.backend import cores

Tensor = Any
JIT_COMPILE = False  # XLA is several times slower on CPU; on GPU ask for it
ANY_ROWS = True  # what :func:`compiled` makes takes any number of rows
LEAST = 2  # images in a part of a batch
TRAINING_CORES = 2  # that may wait for one, in the seventh of a step that is not attack
_ZERO = tf.UnconnectedGradients.ZERO  # where rounding or a threshold cuts the path: not None


def input_gradient(objective: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradient of ``sum(objective(x))`` with respect to ``x`` alone.

    Weights are not watched, so the backward pass stops at the input and no weight
    gradient is ever computed: a third of an attack step saved.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        value = objective(x)
    return tape.gradient(value, x, unconnected_gradients=_ZERO)


def input_gradient_and_values(
    function: Callable[[Tensor], tuple[Tensor, Any]], x: Tensor
) -> tuple[Tensor, Tensor, Any]:
    """Gradient of ``sum(function(x)[0])`` with respect to ``x``, and what ``function`` returned."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        value, more = function(x)
    return tape.gradient(value, x, unconnected_gradients=_ZERO), value, more


def loop(first: Any, last: Any, body: Callable[[Tensor, Any], Any], state: Any) -> Any:
    """``state = body(i, state)`` for i in [first, last), as a loop in the graph (traced once).

    Bounds may be tensors, ``state`` any nesting of tensors whose shapes stay.
    """
    if tf.executing_eagerly():
        for i in range(int(first), int(last)):
            state = body(i, state)
        return state
    _, state = tf.while_loop(
        lambda i, _: i < last,
        lambda i, value: (i + 1, body(i, value)),
        (tf.convert_to_tensor(first, tf.int32), state),
        parallel_iterations=1,
    )
    return state


def repeat(times: int, body: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``body`` applied ``times`` times, as a loop in the graph (traced once)."""
    if tf.executing_eagerly() or times == 1:
        for _ in range(times):
            x = body(x)
        return x
    _, x = tf.while_loop(
        lambda step, _: step < times,
        lambda step, value: (step + 1, body(value)),
        (tf.constant(0), x),
        parallel_iterations=1,
        maximum_iterations=times,
    )
    return x


def record(
    times: Tensor, most: int, body: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor
) -> tuple[Tensor, Tensor]:
    """Like :func:`repeat` with a number of times that is only known later, in a graph.

    ``body`` gives its result and something beside it, both float32; both are returned for
    every time, stacked. There are ``most`` times at most; rows after the last time may follow.
    """

    def step(number: Tensor, value: Tensor, results: Any, seen: Any) -> tuple[Any, ...]:
        value, beside = body(value)
        return number + 1, value, results.write(number, value), seen.write(number, beside)

    empty = [tf.TensorArray("float32", size=times) for _ in range(2)]
    _, _, results, seen = tf.while_loop(
        lambda number, *_: number < times, step, (0, x, *empty), parallel_iterations=1
    )
    return results.stack(), seen.stack()


def in_parts(function: Callable[..., Any], *rows: Any) -> Any:
    """``function(*rows)``, the batch in as many parts as there are cores, all at the same time.

    Rows are tensors, nested or not, whose first axis is the batch, and so are the results. An
    operation on few or small images leaves cores idle, and all wait for the slowest; parts do
    not wait for each other. (Traced once; a small batch is not parted.)
    """
    count = cores_to_share()
    if count == 1 or tf.executing_eagerly():
        return function(*rows)
    made = tf.function(function, autograph=False).get_concrete_function(
        *tf.nest.map_structure(_any_rows, rows)
    )
    total = tf.shape(tf.nest.flatten(rows)[0])[0]

    def parted() -> Any:
        bounds = [total * part // count for part in range(count + 1)]
        slices = [slice(*ends) for ends in itertools.pairwise(bounds)]
        found = [made(*tf.nest.map_structure(operator.itemgetter(part), rows)) for part in slices]
        return tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *found)

    return tf.cond(total < LEAST * count, lambda: made(*rows), parted)


def share_cores(training: bool) -> None:
    """Each operation on one thread, so that parts of a batch have the cores: for whole programs.

    Two parts on two threads take a small network's attack through in two thirds of the time that
    two threads in each operation need. Nothing changes where threads were chosen before, nor where
    many cores would wait for the passes that update the weights, which cannot be parted.
    """
    chosen = any(os.environ.get(f"TF_NUM_{kind}_THREADS") for kind in ("INTRAOP", "INTEROP"))
    few = cores() == 1 or (training and cores() > TRAINING_CORES)
    if chosen or few or tf.config.list_physical_devices("GPU"):
        return
    with contextlib.suppress(RuntimeError):  # the process has computed before
        tf.config.threading.set_inter_op_parallelism_threads(cores())
        tf.config.threading.set_intra_op_parallelism_threads(1)


def cores_to_share() -> int:
    """Parts of a batch that are computed at once; 1 where a GPU or several devices compute."""
    if len(devices()) > 1 or tf.config.list_logical_devices("GPU"):
        return 1
    return _threads("inter") or cores()


def watched(
    function: Callable[[Tensor], Tensor], x: Tensor, use: Callable[[Callable[..., Tensor]], Any]
) -> tuple[Any, Tensor]:
    """``(use(function), function(x))`` where ``use`` begins with ``function(x)``: called once."""
    seen: list[Tensor] = []

    def noting(image: Tensor) -> Tensor:
        seen.append(function(image))
        return seen[-1]

    return use(noting), seen[0]


def compiled(function: Callable[..., Any], *shapes_and_dtypes: tuple[Any, str]) -> Any:
    """``function`` compiled once for tensors of these shapes (None: any size) and dtypes.

    Without any, it takes nested tensors and is compiled once for all that differ in their first
    dimension alone.
    """
    signature = [tf.TensorSpec(shape, dtype) for shape, dtype in shapes_and_dtypes]
    made = tf.function(function, input_signature=signature or None, autograph=False)
    made._omit_frequent_tracing_warning = True  # a function for each attack is what is wanted
    return made if signature else _AnyRows(made)


class _AnyRows:
    """A function compiled for any number of rows; the first call would fix them."""

    def __init__(self, function: Any):
        self.function = function
        self.made: dict[Any, Any] = {}

    def __call__(self, *args: Any) -> Any:
        specs = tf.nest.map_structure(_any_rows, args)
        key = str(specs)
        if key not in self.made:
            self.made[key] = self.function.get_concrete_function(*specs)
        return self.made[key](*args)


def _any_rows(value: Any) -> Any:
    """The specification of a tensor without its number of rows; other values as they are."""
    if not tf.is_tensor(value):
        return value
    shape = value.shape.as_list()
    return tf.TensorSpec([None, *shape[1:]] if shape else [], value.dtype)


def batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch-normalise NHWC images; returns ``(y, mean, unbiased variance)``.

    The fused kernel is one pass over the data and reports the variance with Bessel's
    correction n / (n - 1), which is what PyTorch keeps as its running variance. Several devices
    normalise by their own part of the batch and keep the mean of their statistics.
    """
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        replica = tf.distribute.get_replica_context()
        mean, variance = replica.all_reduce(tf.distribute.ReduceOp.MEAN, [mean, variance])
    return y, mean, variance


def keep_compiled() -> None:
    """Nothing to keep: graphs are traced anew in each process, which no cache saves."""


def where_rows(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Rows of ``a`` where ``mask`` (B,) is true, else of ``b``: whole rows are copied.

    (``tf.where`` looks at the mask for each element, on one core.)
    """
    return tf.raw_ops.Select(condition=mask, x=a, y=b)


def read_rows(variable: Any, index: Tensor) -> Tensor:
    """Rows ``index`` of a Keras variable; the rest of it is not touched."""
    return tf.gather(_copies(variable)[0], index)


def write_rows(variable: Any, index: Tensor, rows: Tensor) -> None:
    """Overwrite rows ``index`` of a Keras variable in place: no copy of the rest is made.

    On several devices every one writes the rows of all.
    """
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        index, rows = replica.all_gather(index, 0), replica.all_gather(rows, 0)
    for copy in _copies(variable):
        copy.scatter_update(tf.IndexedSlices(rows, index))


def _copies(variable: Any) -> list[Any]:
    """The TensorFlow variables behind a Keras one: this device's, or outside of a step all.

    What a mirrored variable itself offers reads and updates rows in a time that grows with all of
    them.
    """
    copies = getattr(variable.value, "values", [variable.value])
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return list(copies)
    return [copies[int(tf.get_static_value(replica.replica_id_in_sync_group))]]


def array(variable: Any) -> np.ndarray:
    """The value of a Keras variable, copied once (``variable.numpy()`` does so twice)."""
    return np.asarray(tf.convert_to_tensor(variable.value))


def feed(batches: Any, epoch: int, batch: int) -> Any:
    """The batches from a position on, without end, loaded ahead by TensorFlow's own threads.

    ``batches`` is a :class:`slr_keras.data.Batches`, a pure function of the position. (A Python
    generator would do, but TensorFlow's generator data set alters the process's memory
    allocator.)
    """
    steps, inputs = batches.steps_per_epoch, batches.inputs
    types = [*(dtype for _, dtype in inputs.values()), "int32"]

    def load(number: Any) -> tuple[Any, ...]:
        found, label = batches.batch(int(number) // steps + 1, int(number) % steps)
        return *(found[name] for name in inputs), label

    def read(number: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        lock = tf.raw_ops.MutexLock(mutex=mutex)
        with tf.control_dependencies([lock]):
            *found, label = tf.numpy_function(load, [number], types)
        with tf.control_dependencies([label]):
            tf.raw_ops.ConsumeMutexLock(mutex_lock=lock)
        shaped = zip(inputs.items(), found, strict=True)
        return (
            {name: tf.ensure_shape(value, shape) for (name, (shape, _)), value in shaped},
            tf.ensure_shape(label, (None,)),
        )

    mutex = _feeding()
    first = (epoch - 1) * steps + batch
    return tf.data.Dataset.range(first, tf.int64.max).map(read).prefetch(4)


@functools.cache
def _feeding() -> Tensor:
    """The mutex that a thread of TensorFlow holds while it calls Python for a batch.

    While Python ends it kills threads that call it, and who destroys an iterator would wait for
    such a one for ever. So this process takes the mutex at its exit, and never gives it back.
    """
    mutex = tf.raw_ops.MutexV2(shared_name="slr_keras_feed")

    def forbid() -> None:
        lock = tf.raw_ops.MutexLock(mutex=mutex)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(lock))  # what collects it would release it

    atexit.register(forbid)
    return mutex


def synchronise(model: Any) -> None:
    """Nothing to do: the model's variables hold the state at all times."""


def make_deterministic() -> None:
    """Bit-equal results from run to run on one machine (needed for exact resume)."""
    tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """GPUs compute in float32 inside, not in TensorFloat-32."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def versions() -> dict[str, str]:
    """The framework's name and version."""
    return {"tensorflow": tf.__version__}


def devices() -> list[str]:
    """The devices that can share a batch: GPUs where there are any, else CPUs."""
    names = [device.name for device in tf.config.list_logical_devices("GPU")]
    return names or [device.name for device in tf.config.list_logical_devices("CPU")]


def on_devices(count: int) -> Any:
    """A context; models that are made in it share each batch between the first ``count``."""
    if count == 1:
        return contextlib.nullcontext()
    return _strategy(count).scope()


@functools.cache
def _strategy(count: int) -> Any:
    """One for all models of the process: two would give two messages between devices one key."""
    return tf.distribute.MirroredStrategy(devices()[:count])


def on_host() -> Any:
    """A context; variables that are made in it stay in the host's memory."""
    return tf.device("/CPU:0")


def device_memory() -> int:
    """Nothing is placed on a GPU unasked: TensorFlow may gather uint8 on the host."""
    return 0


def gpu_problem() -> str:
    """Why no GPU computes, in words; empty where one does."""
    if tf.config.list_physical_devices("GPU"):
        return ""
    if sys.platform == "win32":
        return "TensorFlow has no GPUs on native Windows; use KERAS_BACKEND=torch"
    cuda = tf.sysconfig.get_build_info().get("is_cuda_build")
    reason = "its CUDA libraries were not found" if cuda else "this TensorFlow has no CUDA"
    return f"{reason}; pip install 'tensorflow[and-cuda]'"


def describe_device() -> str:
    """The device that computes, in words."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return str(details.get("device_name", "GPU"))
    count = max(_threads(kind) or cores() for kind in ("intra", "inter"))
    return f"CPU ({count} thread{'s' * (count > 1)})"


def _threads(kind: str) -> int:
    """How many were asked for, ``intra`` or ``inter`` an operation; 0 for as many as cores."""
    asked = getattr(tf.config.threading, f"get_{kind}_op_parallelism_threads")()
    return asked or int(os.environ.get(f"TF_NUM_{kind.upper()}OP_THREADS") or 0)


class TrainStep:
    """``train_step`` and ``test_step`` as TensorFlow's Keras trainer wants them."""

    def train_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Attack, refine, update: one optimisation step, compiled as a whole."""
        return self.train_batch(data, self._gradients)

    def _gradients(self: Any, function: Callable[[], Any]) -> tuple[list[Tensor], Any]:
        with tf.GradientTape() as tape:
            found = function()
            shared = found[0] / tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(shared)  # gradients are summed over the devices
        return tape.gradient(scaled, self.trainable_weights), found

    def joined(self, gradients: list[Tensor]) -> list[Tensor]:
        """The gradients of all devices together."""
        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return gradients
        return tf.distribute.get_replica_context().all_reduce("sum", gradients)

    def update(self: Any, gradients: list[Tensor]) -> None:
        """The optimiser moves the weights."""
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))

    def test_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Clean and robust accuracy of a batch."""
        return self.evaluate_batch(data)
