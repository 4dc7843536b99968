"""The end of a search for the fewest changed values: what is not needed is taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slr_keras import backend
from slr_keras.attacks._norms import flat
from slr_keras.attacks._staged import where
from slr_keras.backend import ops

Tensor = Any
TRIED = 10  # values of an image


def fewer(fools: Callable[[Tensor], Tensor], x: Tensor, image: Tensor) -> Tensor:
    """The image with fewer values that differ from ``x``, where it still fools.

    First every changed value goes on to the wall of [0, 1] that it went towards, which costs
    nothing in L0. Then values are taken back, one at a time, the smallest change first. Each
    try is one forward pass.

    Args:
        fools: function from images (B, H, W, C) to (B,), 1.0 where they fool the model.
        x: the images.
        image: adversarial images of them.
    """
    d = image - x
    walls = ops.where(d > 0, 1.0, ops.where(d < 0, 0.0, x))
    size = flat(ops.abs(d))
    order = ops.argsort(ops.where(size > 0, size, 2.0), axis=-1)

    def take_back(i: Any, image: Tensor) -> Tensor:
        place = ops.one_hot(ops.take(order, i, axis=1), order.shape[1])
        without = ops.where(ops.reshape(place, ops.shape(x)) > 0, x, image)
        return where(fools(without), without, image)

    image = where(fools(walls), walls, image)
    return backend.loop(0, min(TRIED, order.shape[1]), take_back, image)
