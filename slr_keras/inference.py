"""A network as the attack sees it: inference mode, BatchNorm folded, optionally bfloat16.

In inference mode BatchNorm is affine, so it disappears into the convolution before it:
``BN(conv(x; w) + c) = conv(x; s w) + s (c - mean) + beta`` with ``s = gamma / sqrt(var + eps)``.
The fold is computed once per training step, outside the attack's loop, and the network's own
weights stay where they are: nothing is copied from one step to the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from slr_keras.backend import keras, ops

Tensor = Any


class InferenceNetwork:
    """``net(x, training=False)`` made cheap for many passes with the same weights.

    Functional and sequential networks are rewritten layer by layer; layers that are not
    convolution, dense or BatchNorm, nested models and subclassed models run as they are.

    Args:
        net: a built Keras model that returns logits.
        dtype: ``"float32"`` or ``"bfloat16"`` for the arithmetic; images and logits stay float32.
            Without one the arithmetic is the network's own. A network that does not compute in
            float32 then runs as it is: folded it would round otherwise, and an image at a boundary
            that fools the twin need not fool the network.

    Example:
        >>> logits = InferenceNetwork(net).snapshot()   # doctest: +SKIP
        >>> logits(images)                              # doctest: +SKIP
    """

    def __init__(self, net: Any, dtype: str | None = None):
        self.net, self.dtype = net, dtype or net.compute_dtype
        self.frozen: list[Any] = []
        rewrite = _can_rewrite(net) and (dtype is not None or in_float32(net))
        self.call = self._rewrite() if rewrite else self._as_is

    def _as_is(self, x: Tensor) -> Tensor:
        return self.net(x, training=False)

    def _rewrite(self) -> Callable[[Tensor], Tensor]:
        graph = keras.Model(self.net.inputs[0], self.net.outputs[0])  # as one, whatever its class
        before = _batch_norms_after_convolutions(graph)
        folded = {bn.name for bn in before.values()}

        def clone(layer: Any) -> Any:
            if isinstance(layer, keras.layers.InputLayer):
                return layer.__class__.from_config(layer.get_config())
            if layer.name in folded:
                return _Folded(name=layer.name, dtype=self.dtype)
            frozen = _freeze(layer, before.get(layer.name), self.dtype)
            if frozen is not None:
                self.frozen.append(frozen)
                return frozen
            return _stateless_copy(layer, self.dtype)

        twin = keras.models.clone_model(graph, clone_function=clone)
        return lambda x: twin(x, training=False)

    def snapshot(self) -> Callable[[Tensor], Tensor]:
        """A function from images (B, H, W, C) to float32 logits for the weights as they are now."""
        return self.on(self.fold())

    def fold(self) -> list[Tensor]:
        """The weights as they are now, folded, for :meth:`on`."""
        return [value for layer in self.frozen for value in layer.fold()]

    def on(self, folded: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
        """Logits as :meth:`snapshot` gives them, for folded weights kept from before.

        A compiled function that receives them as arguments serves every state of the network
        without folding again. (Layers that are not folded read their weights as they are now.)
        """
        rest = iter(folded)
        for layer in self.frozen:
            layer.hold(tuple(itertools.islice(rest, layer.count)))
        return lambda x: ops.cast(self.call(x), "float32")


def _can_rewrite(net: Any) -> bool:
    if type(net) is keras.Sequential:
        return bool(net.built)
    return type(net).__name__ == "Functional" and isinstance(net.input, keras.KerasTensor)


def in_float32(layer: Any) -> bool:
    """Whether the layer and, in a model, all layers in it compute in float32."""
    inner = getattr(layer, "layers", ())
    return layer.compute_dtype == "float32" and all(map(in_float32, inner))


def _inputs_of(net: Any) -> dict[str, list[str]]:
    """``{layer: names of the layers that feed it}``, once per call of the layer."""
    feeds: dict[str, list[str]] = {}
    try:
        entries = net.get_config()["layers"]
    except NotImplementedError:  # a layer of the user's without get_config: nothing is folded
        return feeds
    for entry in entries:
        histories = keras.tree.flatten([_histories(node) for node in entry["inbound_nodes"]])
        feeds[entry["name"]] = [name for name in histories if name]
    return feeds


def _histories(node: Any) -> list[str]:
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return [node["config"]["keras_history"][0]]
        return [name for value in node.values() for name in _histories(value)]
    if isinstance(node, (list, tuple)):
        return [name for value in node for name in _histories(value)]
    return []


def _batch_norms_after_convolutions(net: Any) -> dict[str, Any]:
    """``{convolution: its BatchNorm}`` where nothing else reads the convolution's output."""
    feeds, found = _inputs_of(net), {}
    readers: dict[str, int] = {}
    for read in itertools.chain.from_iterable(feeds.values()):
        readers[read] = readers.get(read, 0) + 1
    layers = {layer.name: layer for layer in net.layers}
    for name, sources in feeds.items():
        layer, source = layers.get(name), layers.get(sources[0] if sources else "")
        if len(sources) == 1 and _is_batch_norm(layer) and source is not None:
            alone = readers[source.name] == 1
            if alone and _is_conv(source) and source.activation is keras.activations.linear:
                found[source.name] = layer
    return found


def _is_conv(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


def _is_batch_norm(layer: Any) -> bool:
    norm = isinstance(layer, keras.layers.BatchNormalization)
    return norm and layer.axis in (-1, len(layer.output.shape) - 1)


def _freeze(layer: Any, bn: Any, dtype: str) -> Any:
    """A layer that keeps a snapshot of the weights, or None where we know none."""
    if _is_conv(layer):
        return _FrozenConv(layer, bn, dtype)
    if type(layer) is keras.layers.Dense:
        return _FrozenDense(layer, None, dtype)
    if _is_batch_norm(layer):
        return _FrozenBatchNorm(layer, None, dtype)
    return None


def _stateless_copy(layer: Any, dtype: str) -> Any:
    """The layer in another dtype where it has no weights and is not a model, else itself."""
    if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.Model):
        return layer
    if layer.variables or layer.compute_dtype == dtype:
        return layer
    try:
        return layer.__class__.from_config(layer.get_config() | {"dtype": dtype})
    except (NotImplementedError, TypeError, ValueError):  # a lambda, a layer without a config
        return layer


def _scale(bn: Any) -> tuple[Tensor, Tensor]:
    """BatchNorm in inference mode as ``x * scale + shift``."""
    scale = ops.rsqrt(ops.cast(bn.moving_variance, "float32") + bn.epsilon)
    if bn.gamma is not None:
        scale = scale * ops.cast(bn.gamma, "float32")
    shift = -ops.cast(bn.moving_mean, "float32") * scale
    return scale, shift if bn.beta is None else shift + ops.cast(bn.beta, "float32")


class _Frozen(keras.layers.Layer):
    """A layer without weights of its own that computes with a snapshot of another's."""

    count = 2  # values a layer computes with: kernel and bias, or scale and shift

    def __init__(self, source: Any, bn: Any, dtype: str):
        super().__init__(name=source.name, dtype=dtype)
        self._held = _Held(source, bn)

    def fold(self) -> list[Tensor]:
        """The values for the weights as they are now."""
        values = self.values(self._held.source, self._held.bn)
        return [ops.cast(value, self.compute_dtype) for value in values]

    def hold(self, values: tuple[Tensor, ...]) -> None:
        """Compute with these from now on."""
        self._held.values = values

    def compute_output_spec(self, x: Any, **_: Any) -> Any:
        return keras.KerasTensor(
            self._held.source.compute_output_shape(x.shape), self.compute_dtype
        )


class _Folded(keras.layers.Layer):
    """What is left of a BatchNorm that went into the convolution before it: nothing."""

    def call(self, x: Tensor, mask: Any = None) -> Tensor:
        return x


class _Held:
    """Plain holder: Keras must neither track the source's weights twice nor a graph's tensors."""

    def __init__(self, source: Any, bn: Any):
        self.source, self.bn = source, bn
        self.values: Any = ()


class _FrozenConv(_Frozen):
    def values(self, conv: Any, bn: Any) -> tuple[Tensor, Tensor]:
        kernel = ops.cast(conv.kernel, "float32")
        bias = ops.cast(conv.bias, "float32") if conv.use_bias else ops.zeros(kernel.shape[-1])
        if bn is None:
            return kernel, bias
        scale, shift = _scale(bn)
        return kernel * scale, bias * scale + shift

    def call(self, x: Tensor, mask: Any = None) -> Tensor:
        kernel, bias = self._held.values
        conv = self._held.source
        y = ops.conv(x, kernel, conv.strides, conv.padding, "channels_last", conv.dilation_rate)
        return conv.activation(y + bias)


class _FrozenDense(_Frozen):
    def values(self, dense: Any, bn: Any) -> tuple[Tensor, Tensor]:
        bias = dense.bias if dense.use_bias else ops.zeros(dense.units)
        return ops.cast(dense.kernel, "float32"), ops.cast(bias, "float32")

    def call(self, x: Tensor, mask: Any = None) -> Tensor:
        kernel, bias = self._held.values
        return self._held.source.activation(ops.matmul(x, kernel) + bias)


class _FrozenBatchNorm(_Frozen):
    def values(self, norm: Any, bn: Any) -> tuple[Tensor, Tensor]:
        return _scale(norm)

    def call(self, x: Tensor, mask: Any = None) -> Tensor:
        scale, shift = self._held.values
        return x * scale + shift
