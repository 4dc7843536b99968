"""Norm balls of radius epsilon around an image: projection, steepest step, random point.

Perturbations have shape ``(batch, height, width, channels)`` and are measured per image,
in pixels of [0, 1]; L0 counts values. Each norm is one class; :data:`NORMS` holds them by name.
A radius is one number, or one of each image, (B,), where the ball is projected onto.
"""

from __future__ import annotations

import math
from typing import Any

from slr_keras.backend import ops, random

Tensor = Any
_TINY = 1e-12


class Linf:
    """``max_i |d_i| <= eps``."""

    def project(self, d: Tensor, eps: float) -> Tensor:
        """The nearest point of the ball: ``clip(d, -eps, eps)``."""
        eps = _of_each(eps, d)
        return ops.clip(d, -eps, eps)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The unit step that raises a linear function most: ``sign(g)`` (0 where g is 0)."""
        return ops.sign(gradient)

    def sample(self, shape: Any, eps: float, seed: Any) -> Tensor:
        """Uniform in the ball: every pixel uniform in [-eps, eps]."""
        return random.uniform(shape, -eps, eps, seed=seed)

    def size(self, d: Tensor) -> Tensor:
        """The norm of each perturbation, shape ``(batch,)``."""
        return ops.max(ops.abs(d), axis=_axes(d))

    def farthest(self, values: int) -> float:
        """The largest distance between two images of so many values."""
        return 1.0

    def inside(self, x: Tensor, candidate: Tensor, eps: float) -> Tensor:
        """The nearest point of ball and pixel cube around ``x`` (both are boxes)."""
        return _into_ball_then_cube(self, x, candidate, eps)

    def normalize(self, t: Tensor) -> Tensor:
        """``t / ||t||``: any direction, stretched to the surface of the unit ball."""
        return t / (_peak(t) + _TINY)

    def dual_size(self, w: Tensor) -> Tensor:
        """``sum_i |w_i|``, the dual norm: distance to a plane is ``|offset| / dual_size``."""
        return ops.sum(ops.abs(w), axis=_axes(w))

    def to_plane(self, x: Tensor, w: Tensor, offset: Tensor) -> Tensor:
        """The smallest ``d`` with ``<w, d> = -offset`` and ``x + d`` in [0, 1].

        Every pixel moves by the same amount, as far as its wall allows. Where the plane cannot be
        reached inside the cube, every pixel goes to its wall. Shapes (B, H, W, C) and (B,).
        """
        room, weight = _room(x, w, offset), ops.abs(flat(w))
        level = _climbed(room, weight, ops.abs(offset))
        return _towards(w, offset) * ops.reshape(ops.minimum(level, room), ops.shape(w))


class L2:
    """``sqrt(sum_i d_i^2) <= eps``."""

    def project(self, d: Tensor, eps: float) -> Tensor:
        """The nearest point of the ball: ``d * min(1, eps / ||d||)``."""
        return d * ops.minimum(1.0, _of_each(eps, d) / ops.maximum(_length(d), _TINY))

    def steepest(self, gradient: Tensor) -> Tensor:
        """``g / ||g||`` (0 where the gradient vanishes)."""
        scale = ops.max(ops.abs(gradient), axis=_axes(gradient), keepdims=True)
        unit = gradient / ops.where(scale > 0, scale, 1.0)
        return unit / ops.maximum(_length(unit), _TINY)

    def sample(self, shape: Any, eps: float, seed: Any) -> Tensor:
        """Uniform in the ball: a normal direction, radius ``eps * u^(1/n)``."""
        direction = self.steepest(random.normal(shape, seed=seed))
        dimensions = math.prod(int(n) for n in direction.shape[1:])
        u = random.uniform((shape[0], *[1] * (len(direction.shape) - 1)), seed=seed)
        return eps * u ** (1.0 / dimensions) * direction

    def size(self, d: Tensor) -> Tensor:
        """The norm of each perturbation, shape ``(batch,)``."""
        return ops.sqrt(ops.sum(ops.square(d), axis=_axes(d)))

    def farthest(self, values: int) -> float:
        """The largest distance between two images of so many values."""
        return math.sqrt(values)

    def inside(self, x: Tensor, candidate: Tensor, eps: float) -> Tensor:
        """The candidate pulled into the ball, then into the pixel cube."""
        return _into_ball_then_cube(self, x, candidate, eps)

    def normalize(self, t: Tensor) -> Tensor:
        """``t / ||t||``."""
        return t / (_length(t) + _TINY)

    def dual_size(self, w: Tensor) -> Tensor:
        """``||w||``: the norm is its own dual."""
        return self.size(w)

    def to_plane(self, x: Tensor, w: Tensor, offset: Tensor) -> Tensor:
        """As :meth:`Linf.to_plane`; pixels move in proportion to ``|w_i|`` up to their walls."""
        room, weight = _room(x, w, offset), ops.abs(flat(w))
        reach = room / ops.maximum(weight, _TINY)
        level = _climbed(reach, ops.square(weight), ops.abs(offset))
        moved = ops.minimum(level * weight, room)
        return _towards(w, offset) * ops.reshape(moved, ops.shape(w))


class L1:
    """``sum_i |d_i| <= eps``."""

    def project(self, d: Tensor, eps: float) -> Tensor:
        """The nearest point of the ball: soft thresholding ``sign(d) max(|d| - t, 0)``."""
        size = ops.abs(flat(d))
        excess = ops.sum(size, axis=-1) - eps
        level = _level(size, ops.ones_like(size), ops.maximum(excess, 0.0))
        kept = _of_length(ops.maximum(size - level, 0.0), eps)
        return ops.sign(d) * ops.reshape(kept, ops.shape(d))

    def inside(self, x: Tensor, candidate: Tensor, eps: float) -> Tensor:
        """The nearest point of ball and pixel cube together (arXiv 2103.01208, section 2).

        A pixel first gives up what reaches beyond its wall, ``a_i``, and then, as all do, up to a
        common level: ``sign(d_i) (|d_i| - clip(level, a_i, |d_i|))``.
        """
        d = candidate - x
        size = ops.abs(flat(d))
        beyond = ops.abs(flat(candidate - ops.clip(candidate, 0.0, 1.0)))
        excess = ops.sum(size - beyond, axis=-1) - eps
        reach = ops.concatenate([size, beyond], axis=-1)
        slope = ops.concatenate([ops.ones_like(size), -ops.ones_like(size)], axis=-1)
        level = _level(reach, slope, ops.maximum(excess, 0.0))
        given_up = ops.maximum(ops.minimum(level, size), beyond)
        kept = ops.reshape(_of_length(size - given_up, eps), ops.shape(d))
        return ops.clip(x + ops.sign(d) * kept, 0.0, 1.0)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The unit step that raises a linear function most: all of it on the largest ``|g_i|``."""
        g = flat(gradient)
        best = ops.one_hot(ops.argmax(ops.abs(g), axis=-1), g.shape[-1], dtype="float32")
        return ops.reshape(best * ops.sign(g), ops.shape(gradient))

    def sample(self, shape: Any, eps: float, seed: Any) -> Tensor:
        """Uniform in the ball: exponential pixels over their sum and one more, random signs."""
        signs = ops.sign(random.uniform(shape, -1.0, 1.0, seed=seed))
        share = -ops.log1p(-random.uniform(shape, 0.0, 1.0, seed=seed))
        extra = -ops.log1p(-random.uniform((shape[0], 1, 1, 1), 0.0, 1.0, seed=seed))
        total = ops.sum(share, axis=_axes(share), keepdims=True) + extra
        return eps * signs * share / total

    def size(self, d: Tensor) -> Tensor:
        """The norm of each perturbation, shape ``(batch,)``."""
        return ops.sum(ops.abs(d), axis=_axes(d))

    def farthest(self, values: int) -> float:
        """The largest distance between two images of so many values."""
        return float(values)

    def normalize(self, t: Tensor) -> Tensor:
        """``t / ||t||``."""
        return t / (ops.sum(ops.abs(t), axis=_axes(t), keepdims=True) + _TINY)

    def dual_size(self, w: Tensor) -> Tensor:
        """``max_i |w_i|``."""
        return ops.max(ops.abs(w), axis=_axes(w))

    def to_plane(self, x: Tensor, w: Tensor, offset: Tensor) -> Tensor:
        """As :meth:`Linf.to_plane`; pixels with the largest ``|w_i|`` go to their walls first."""
        room, weight = _room(x, w, offset), ops.abs(flat(w))
        order = ops.argsort(-weight, axis=-1)
        gain = ops.take_along_axis(weight * room, order, axis=-1)
        before = ops.cumsum(gain, axis=-1) - gain
        missing = ops.clip(ops.abs(offset)[:, None] - before, 0.0, gain)
        moved = missing / ops.maximum(ops.take_along_axis(weight, order, axis=-1), _TINY)
        back = ops.argsort(order, axis=-1)
        moved = ops.take_along_axis(moved, back, axis=-1)
        return _towards(w, offset) * ops.reshape(moved, ops.shape(w))


class L0:
    """``#{i : d_i != 0} <= eps``: the values that differ; each channel of a pixel is one.

    No norm: its ball has no inside, so only what the attacks that know it need is defined.
    """

    def project(self, d: Tensor, eps: float) -> Tensor:
        """The nearest point of the ball: the ``eps`` largest ``|d_i|`` stay, the others are 0."""
        size = flat(ops.abs(d))
        count = ops.floor(ops.broadcast_to(eps, (ops.shape(size)[0],)))[:, None]
        place = ops.cast(ops.clip(count - 1.0, 0.0, size.shape[-1] - 1.0), "int32")
        least = ops.take_along_axis(-ops.sort(-size, axis=-1), place, axis=-1)
        above, level = (ops.cast(kept, size.dtype) for kept in (size > least, size >= least))
        room = count - ops.sum(above, axis=-1, keepdims=True)
        level = (level - above) * ops.cast(ops.cumsum(level - above, axis=-1) <= room, size.dtype)
        return d * ops.reshape(above + level, ops.shape(d))

    def size(self, d: Tensor) -> Tensor:
        """How many values of each perturbation are not 0, float32 of shape ``(batch,)``."""
        return ops.sum(ops.cast(ops.not_equal(d, 0.0), "float32"), axis=_axes(d))

    def farthest(self, values: int) -> float:
        """The largest distance between two images of so many values."""
        return float(values)

    def inside(self, x: Tensor, candidate: Tensor, eps: float) -> Tensor:
        """The candidate pulled into the ball, then into the pixel cube."""
        return _into_ball_then_cube(self, x, candidate, eps)


def _of_each(eps: Any, d: Tensor) -> Any:
    """A radius of each image, (B,), so that it goes with ``d``; one for all as it is."""
    each = len(getattr(eps, "shape", ())) == 1
    return ops.reshape(eps, (-1, *[1] * (len(d.shape) - 1))) if each else eps


def _into_ball_then_cube(ball: Any, x: Tensor, candidate: Tensor, eps: float) -> Tensor:
    return ops.clip(x + ball.project(candidate - x, eps), 0.0, 1.0)


def _room(x: Tensor, w: Tensor, offset: Tensor) -> Tensor:
    """How far each pixel may move in the direction that lowers ``|offset|``; flat (B, n)."""
    return flat(ops.where(_towards(w, offset) > 0, 1.0 - x, x))


def _towards(w: Tensor, offset: Tensor) -> Tensor:
    """The signs of the moves that lower ``|offset|``."""
    return -ops.sign(w) * ops.reshape(ops.sign(offset), (-1, *[1] * (len(w.shape) - 1)))


def _of_length(kept: Tensor, eps: float) -> Tensor:
    """Rounding made up for: no row of (B, n) sums to more than ``eps``."""
    total = ops.sum(kept, axis=-1, keepdims=True)
    return kept * ops.minimum(1.0, _of_each(eps, kept) / ops.maximum(total, _TINY))


def _level(reach: Tensor, slope: Tensor, total: Tensor) -> Tensor:
    """The ``t >= 0`` with ``sum_i slope_i min(t, reach_i) = total``; shape (B, 1).

    ``reach`` and ``slope`` are (B, n), ``total`` (B,). The left side rises with ``t``. Between two
    neighbours of the sorted ``reach`` it is linear, so the piece that contains ``total`` gives
    ``t`` at once. The largest reach where there is none.
    """
    order = ops.argsort(reach, axis=-1)
    reach, slope = (ops.take_along_axis(v, order, axis=-1) for v in (reach, slope))
    filled = ops.cumsum(slope * reach, axis=-1)
    open_slope = ops.sum(slope, axis=-1, keepdims=True) - ops.cumsum(slope, axis=-1)
    reached = filled + open_slope * reach >= total[:, None]
    piece = ops.argmax(ops.cast(reached, "int32"), axis=-1)[:, None]
    before = ops.take_along_axis(filled - slope * reach, piece, axis=-1)
    steep = ops.take_along_axis(open_slope + slope, piece, axis=-1)
    level = (total[:, None] - before) / ops.maximum(steep, _TINY)
    return ops.where(ops.any(reached, axis=-1, keepdims=True), level, reach[:, -1:])


def _climbed(reach: Tensor, slope: Tensor, total: Tensor) -> Tensor:
    """:func:`_level` where no slope is negative, without sorting.

    ``g(t) = sum_i slope_i min(t, reach_i)`` is then concave, and Newton's steps from 0 climb to its
    root: each goes as far as it would if no further pixel came to its end, and one on which none
    did is exact. There are some ten of them. Without a root ``t`` is beyond every reach.
    """

    def steepness(t: Any) -> Tensor:
        return ops.sum(slope * ops.cast(reach > t, slope.dtype), axis=-1, keepdims=True)

    def step(t: Tensor, steep: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        climbed = ops.sum(slope * ops.minimum(t, reach), axis=-1, keepdims=True)
        missing = ops.maximum(total[:, None] - climbed, 0.0)
        t = ops.where(steep > 0, t + missing / ops.maximum(steep, _TINY), t)
        left = steepness(t)
        return t, left, ops.any((left < steep) & (left > 0))

    steep = steepness(0.0)
    state = ops.zeros_like(steep), steep, ops.any(steep > 0)
    return ops.while_loop(lambda *state: state[2], step, state)[0]


def flat(d: Tensor) -> Tensor:
    """A row (n,) for each image."""
    return ops.reshape(d, (ops.shape(d)[0], math.prod(d.shape[1:])))


def _peak(d: Tensor) -> Tensor:
    return ops.max(ops.abs(d), axis=_axes(d), keepdims=True)


def _axes(d: Tensor) -> tuple[int, ...]:
    return tuple(range(1, len(d.shape)))


def _length(d: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(d), axis=_axes(d), keepdims=True))


NORMS: dict[str, Linf | L2 | L1 | L0] = {"linf": Linf(), "l2": L2(), "l1": L1(), "l0": L0()}
