"""The networks of ``keras.applications``, for images in [0, 1].

Each module there has a ``preprocess_input`` of its own, from [0, 255]. Here it is part of the
network, made of Keras' own layers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from slr_keras.backend import keras, np, ops
from slr_keras.errors import ModelError, SettingError, did_you_mean
from slr_keras.models import _heads, _weights
from slr_keras.models._pretrained import Pretrained
from slr_keras.settings.schema import setting

PREFIX = "applications/"
FILES = (".h5", ".keras")
MOMENTUM = 0.9  # of BatchNorm's statistics, as in all networks here
Tensor = Any


@dataclasses.dataclass(frozen=True)
class Application(Pretrained):
    """A network of ``keras.applications``: ``--model.name applications/MobileNetV3Small``."""

    stand_in = f"{PREFIX}..."

    weights: str = setting(
        "none",
        label="Weights to start from",
        help="none: random ones; imagenet: those that Keras downloads; or a .weights.h5 or .keras "
        "file of the same network; where it has other classes the last layer is new",
        picks="path",
    )

    def validate(self) -> None:
        """No, ImageNet's or a file's weights."""
        words = ("none", "imagenet")
        if self.weights not in words and not self.weights.endswith(FILES):
            near = did_you_mean(self.weights, words)
            raise SettingError(
                "weights",
                f"expected {', '.join(words)} or a file that ends in .weights.h5 or .keras, "
                f"received {self.weights!r}{'.' + near if 'mean' in near else ''}",
            )

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """The network; see :class:`~slr_keras.models._base.Architecture`.

        Raises:
            UserError: no such network or weights, or images that are too small for it.
        """
        make = _function(self.name)
        net = _heads.renewed(self._made(make, input_shape, num_classes), num_classes)
        if self.weights == "imagenet":
            _weights.from_imagenet(net, make)
        elif self.weights != "none":
            _weights.from_file(net, self.weights)
        return self._checked(_with_momentum(_weights.settled(net)))

    def _made(
        self, make: Callable[..., Any], input_shape: tuple[int, ...], num_classes: int
    ) -> Any:
        if input_shape[-1] not in (1, 3):
            raise ModelError(
                f"{self.name}: expected images of 1 or 3 channels, received {input_shape[-1]}"
            )
        pixels = _pixels(keras.Input(input_shape, name="image"), _module(make).preprocess_input)
        shape = (*input_shape[:2], 3)
        options = {"weights": None, "classes": num_classes, "classifier_activation": None}
        try:
            return make(input_tensor=pixels, input_shape=shape, **options)
        except ValueError as error:
            least = re.search(r"at least (\d+)x", str(error))
            if least is None:
                raise
            raise ModelError(
                f"{self.name}: expected images of at least {least[1]} x {least[1]} pixels, "
                f"received {shape[0]} x {shape[1]}; data.image_size enlarges those of files"
            ) from None


def _with_momentum(net: Any) -> Any:
    """The network, its BatchNorm statistics as quick as PyTorch's.

    Keras has 0.999 in some: inference mode, which attacks and evaluations see, would be another
    network for thousands of steps, and training would be as good as without an attack.
    """
    for layer in net._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
    return net


def names() -> list[str]:
    """What ``keras.applications`` has.

    Example:
        >>> names()[:2]
        ['ConvNeXtBase', 'ConvNeXtLarge']
    """
    there = vars(keras.applications).items()
    return sorted(name for name, value in there if callable(value) and _module(value))


def _function(name: str) -> Any:
    """The function that makes the network ``applications/...``."""
    wanted, known = name.removeprefix(PREFIX), names()
    if wanted not in known:
        raise SettingError(
            "model.name",
            f"keras.applications has no {wanted!r}.{did_you_mean(wanted, known)}",
        )
    return getattr(keras.applications, wanted)


def _module(make: Any) -> Any:
    """The module of ``keras.applications`` that a function of it comes from."""
    return getattr(keras.applications, make.__module__.rpartition(".")[2], None)


def _pixels(images: Tensor, preprocess: Callable[[Any], Any]) -> Tensor:
    """What ``preprocess`` makes of ``255 * images``, in Keras' own layers; grey is made colour.

    Every such function multiplies and shifts channels, some after turning RGB to BGR: what it does
    is found by asking it about black, white and red.
    """
    black, white, red = (
        preprocess(np.array(colour, "float64").reshape(1, 1, 1, 3)).ravel()
        for colour in ([0, 0, 0], [255, 255, 255], [255, 0, 0])
    )
    if images.shape[-1] == 1:
        images = keras.layers.Concatenate(dtype="float32")([images] * 3)
    elif (red != black)[2]:
        images = ops.flip(images, axis=-1)
    scale, offset = (white - black).tolist(), black.tolist()
    return keras.layers.Rescaling(scale, offset, dtype="float32")(images)
