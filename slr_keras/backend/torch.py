"""PyTorch: eager, and the only one of the three with GPUs on native Windows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch

from slr_keras.backend import keras, ops

Tensor = Any
JIT_COMPILE = False
ANY_ROWS = True  # nothing is compiled


def input_gradient(objective: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradient of ``sum(objective(x))`` with respect to ``x`` alone."""
    return input_gradient_and_values(lambda image: (objective(image), ()), x)[0]


def input_gradient_and_values(
    function: Callable[[Tensor], tuple[Tensor, Any]], x: Tensor
) -> tuple[Tensor, Tensor, Any]:
    """Gradient of ``sum(function(x)[0])`` with respect to ``x``, and what ``function`` returned.

    Only ``x`` is asked for, so no weight gradient is computed.
    """
    with torch.enable_grad():
        image = ops.convert_to_tensor(x).detach().requires_grad_(True)
        value, more = function(image)
        gradient = None
        if value.requires_grad:
            (gradient,) = torch.autograd.grad(value.sum(), image, allow_unused=True)
    detached = _map(lambda tensor: tensor.detach(), (value, more))
    return torch.zeros_like(image) if gradient is None else gradient, *detached


def _map(function: Callable[[Tensor], Tensor], nested: Any) -> Any:
    return torch.utils._pytree.tree_map_only(torch.Tensor, function, nested)


def loop(first: Any, last: Any, body: Callable[[Tensor, Any], Any], state: Any) -> Any:
    """``state = body(i, state)`` for i in [first, last)."""
    for i in range(int(first), int(last)):
        state = body(ops.convert_to_tensor(i), state)
    return state


def repeat(times: int, body: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``body`` applied ``times`` times."""
    for _ in range(times):
        x = body(x)
    return x


def in_parts(function: Callable[..., Any], *rows: Any) -> Any:
    """``function(*rows)``: one operation after the other."""
    return function(*rows)


def share_cores(training: bool) -> None:
    """Nothing to do: an operation has all cores."""


def record(
    times: Any, most: int, body: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor
) -> tuple[Tensor, Tensor]:
    """Like :func:`repeat`; what ``body`` gives, and what it gives beside, stacked."""
    results, seen = [], []
    for _ in range(int(times)):
        x, beside = body(x)
        results.append(x)
        seen.append(beside)
    return torch.stack(results), torch.stack(seen)


def watched(
    function: Callable[[Tensor], Tensor], x: Tensor, use: Callable[[Callable[..., Tensor]], Any]
) -> tuple[Any, Tensor]:
    """``(use(function), function(x))`` where ``use`` begins with ``function(x)``: called once."""
    seen: list[Tensor] = []

    def noting(image: Tensor) -> Tensor:
        value = function(image)
        seen.append(value.detach())
        return value

    return use(noting), seen[0]


def compiled(function: Callable[..., Any], *shapes_and_dtypes: tuple[Any, str]) -> Any:
    """``function`` on tensors, outside of any gradient; nothing is compiled."""

    def run(*arguments: Any) -> Any:
        with torch.no_grad():
            return function(*arguments)

    return run


def batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch-normalise NHWC images; returns ``(y, mean, unbiased variance)``."""
    mean, variance = torch.zeros_like(beta), torch.ones_like(beta)
    y = torch.nn.functional.batch_norm(
        x.permute(0, 3, 1, 2),
        mean,
        variance,
        gamma,
        beta,
        training=True,
        momentum=1.0,
        eps=epsilon,
    )
    return y.permute(0, 2, 3, 1), mean, variance


def keep_compiled() -> None:
    """Nothing to keep: nothing is compiled."""


def where_rows(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Rows of ``a`` where ``mask`` (B,) is true, else of ``b``."""
    return keras.ops.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b)


def read_rows(variable: Any, index: Tensor) -> Tensor:
    """Rows ``index`` of a Keras variable."""
    return variable.value[index]


def write_rows(variable: Any, index: Tensor, rows: Tensor) -> None:
    """Overwrite rows ``index`` of a Keras variable in place."""
    with torch.no_grad():
        variable.value[index] = ops.convert_to_tensor(rows)


def array(variable: Any) -> Any:
    """The value of a Keras variable; on CPU it is the variable's own memory, to read at once."""
    value = variable.value.detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def feed(batches: Any, epoch: int, batch: int) -> Iterator[Any]:
    """The batches from a position on, without end, made ahead by a thread."""
    return batches.stream(epoch, batch)


def synchronise(model: Any) -> None:
    """Nothing to do: the model's variables hold the state at all times."""


def make_deterministic() -> None:
    """Bit-equal results from run to run on one machine (needed for exact resume)."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """GPUs compute convolutions in float32 inside, not in TensorFloat-32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def versions() -> dict[str, str]:
    """The framework's name and version."""
    return {"torch": torch.__version__}


def devices() -> list[str]:
    """The one device that trains."""
    return [describe_device()]


def on_devices(count: int) -> Any:
    """A context for models; there is one device."""
    return contextlib.nullcontext()


def device_memory() -> int:
    """Bytes of memory of the GPU that trains; 0 on a CPU."""
    return int(torch.cuda.mem_get_info()[1]) if torch.cuda.is_available() else 0


def gpu_problem() -> str:
    """Why no GPU computes, in words; empty where one does."""
    if torch.cuda.is_available():
        return ""
    if not torch.version.cuda:
        return "this build of PyTorch has no CUDA; see https://pytorch.org/get-started/locally"
    return f"PyTorch was built for CUDA {torch.version.cuda} and cannot reach it: check the driver"


def describe_device() -> str:
    """The device that computes, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU ({torch.get_num_threads()} threads)"


class TrainStep:
    """``train_step`` and ``test_step`` as PyTorch's Keras trainer wants them."""

    def train_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Attack, refine, update: one optimisation step."""
        with torch.no_grad():
            return self.train_batch(data, self._gradients)

    def _gradients(self: Any, function: Callable[[], Any]) -> tuple[list[Tensor], Any]:
        self.zero_grad()
        with torch.enable_grad():
            found = function()
            self.optimizer.scale_loss(found[0]).backward()
        return [weight.value.grad for weight in self.trainable_weights], found

    def joined(self, gradients: list[Tensor]) -> list[Tensor]:
        """The gradients of all devices together: there is one."""
        return gradients

    def update(self: Any, gradients: list[Tensor]) -> None:
        """The optimiser moves the weights."""
        self.optimizer.apply(gradients, self.trainable_weights)

    def test_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Clean and robust accuracy of a batch."""
        with torch.no_grad():
            return self.evaluate_batch(data)
