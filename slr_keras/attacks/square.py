"""Square attack: Andriushchenko et al. 2020 (arXiv 1912.00049), algorithms 1 to 3; no gradients.

L1: Croce & Hein 2021 (arXiv 2103.01208), section 4.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from slr_keras import losses
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._staged import Plan, Staged, State, iterate, where
from slr_keras.backend import np, ops
from slr_keras.settings.schema import setting

Tensor = Any
STAGE = 100  # queries between two stops
SCHEDULED = 10_000  # queries that HALVINGS were chosen for
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # section 3.2 and appendix


@dataclasses.dataclass(frozen=True)
class Square(Staged):
    """Random search over square windows, which sees the margin alone and no gradient.

    A query changes one window of the perturbation and is kept where it lowers the margin
    ``z_y - max_{i != y} z_i``. The window covers a share ``p`` of the image that starts at
    ``p_init`` and is halved as queries go on. L-infinity: every channel of the window is set to
    plus or minus ``eps``. L2 and L1: the weight of a second window moves into the first one. The
    image itself costs no query, the first candidate one. Windows reach every pixel, as the paper
    has it; those of its authors' code never touch the last row and column. The official AutoAttack
    does not rescale.

    Example:
        >>> Square(eps=8/255).queries
        5000
    """

    name = "square"
    ascends = False
    repeats = ("queries", "restarts")

    queries: int = setting(5000, help="forward passes for each image", at_least=1)
    p_init: float = setting(0.8, help="share of the image that the first windows cover", above=0)
    rescale: bool = setting(
        True, help="halve the windows at the same shares of any number of queries as of 10,000"
    )

    def stops(self) -> tuple[int, ...]:
        """Every hundredth query."""
        return (*range(STAGE, self.queries, STAGE), self.queries)

    def share(self, query: int) -> float:
        """The share of the image that the window of a query covers."""
        place = query * SCHEDULED // self.queries if self.rescale else query
        return self.p_init / 2 ** sum(place > bound for bound in HALVINGS)

    def aim(self, logits: Any, labels: Tensor, rival: Tensor | None = None) -> Objective:
        """The margin is raised."""
        return Objective(logits, labels, self.targeted, losses.margin, rival)

    # -- what the queries draw ----------------------------------------------------------------

    def plan(self, first: int, last: int, shape: tuple[int, ...], seed: int) -> Plan:
        """Windows and signs of the queries, the same for all images."""
        draw = self._draw_sign if self.norm == "linf" else self._draw_hill
        queries = range(first, max(last, first + STAGE))
        rows = [draw(np.random.default_rng([seed, query]), query, shape) for query in queries]
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}

    def _side(self, query: int, shape: tuple[int, ...], least: int) -> int:
        height, width = shape[:2]
        side = max(round(math.sqrt(self.share(query) * height * width)), least)
        return min(side, height, width)

    def _draw_sign(self, rng: Any, query: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        window = np.zeros((*shape[:2], 1), "float32")
        window[_place(rng, self._side(query, shape, 1), shape)] = 1
        return {"window": window, "signs": _signs(rng, (1, 1, shape[2]))}

    def _draw_hill(self, rng: Any, query: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        side = self._side(query, shape, 3)
        side = min(side + (side % 2 == 0), *shape[:2])
        here, there = _place(rng, side, shape), _place(rng, side, shape)
        empty = np.zeros((*shape[:2], 1), "float32")
        window, second, pattern = empty.copy(), empty.copy(), empty.copy()
        window[here], second[there] = 1, 1
        pattern[here] = _hill(side, self._power, rng)[..., None]
        signs = _signs(rng, (1, 1, shape[2]))
        return {"window": window, "second": second, "pattern": pattern * signs}

    # -- the search ---------------------------------------------------------------------------

    def begin(self, objective: Objective, x: Tensor, noise: Tensor) -> State:
        """Vertical stripes (L-infinity) or a grid of hills (L2) with random signs."""
        if self.norm == "linf":
            d = self.eps * _sign(noise[:, :1])
            d = ops.broadcast_to(d, ops.shape(x))
        else:
            d = self._filled(x, _grid(noise, self._power))
        return self._begin_at(objective, ops.clip(x + d, 0.0, 1.0))

    def _begin_at(self, objective: Objective, start: Tensor) -> State:
        value, z = objective.with_logits(start)
        return {"best": start, "value": value, "fooled": objective.hit(z)}

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """All queries from ``start``."""
        aim = self.aim(objective.logits, objective.labels)
        return self.all_stages(aim, x, self._begin_at(aim, start))["best"]

    def advance(
        self, objective: Objective, x: Tensor, state: State, first: Any, last: Any, plan: Any
    ) -> State:
        """Queries [first, last); query 0 is :meth:`begin`."""
        rows = {key: ops.convert_to_tensor(value) for key, value in plan.items()}

        def query(i: Any, state: State) -> State:
            row = {key: ops.take(value, i - first, axis=0) for key, value in rows.items()}
            return self._query(objective, x, state, row)

        return iterate(ops.maximum(first, 1), last, query, state)

    def _query(
        self, objective: Objective, x: Tensor, state: State, row: dict[str, Tensor]
    ) -> State:
        change = self._sign_candidate if self.norm == "linf" else self._hill_candidate
        candidate = change(x, state["best"], row)
        value, z = objective.with_logits(candidate)
        fools = objective.hit(z)
        better = ops.maximum(ops.cast(value > state["value"], "float32"), fools)
        better = better * (1.0 - state["fooled"])  # an image that fools is asked no more
        return {
            "best": where(better, candidate, state["best"]),
            "value": ops.where(better > 0, value, state["value"]),
            "fooled": ops.maximum(state["fooled"], better * fools),
        }

    def _sign_candidate(self, x: Tensor, best: Tensor, row: dict[str, Tensor]) -> Tensor:
        moved = best + 2 * self.eps * row["window"] * row["signs"]
        return ops.clip(ops.clip(moved, x - self.eps, x + self.eps), 0.0, 1.0)

    @property
    def _power(self) -> int:
        """The ``p`` of the Lp norm, for norms whose windows are hills."""
        return {"l1": 1, "l2": 2}[self.norm]

    def _mass(self, d: Tensor, axes: tuple[int, ...]) -> Tensor:
        """``sum |d|^p`` over the axes, which are kept."""
        return ops.sum(ops.abs(d) ** self._power, axis=axes, keepdims=True)

    def _unit(self, d: Tensor) -> Tensor:
        """Every channel over its own norm."""
        return d / (1e-12 + self._mass(d, (1, 2)) ** (1 / self._power))

    def _filled(self, x: Tensor, d: Tensor) -> Tensor:
        """A perturbation that uses the whole radius: stretched in L2, in L1 projected."""
        if self.norm == "l1":
            return self.ball.inside(x, x + d, self.eps) - x
        return self.eps * self.ball.normalize(d)

    def _hill_candidate(self, x: Tensor, best: Tensor, row: dict[str, Tensor]) -> Tensor:
        d, channels = best - x, x.shape[-1]
        window, either = row["window"], ops.maximum(row["window"], row["second"])
        unused = ops.maximum(self.eps**self._power - self._mass(d, (1, 2, 3)), 0.0) / channels
        weight = (unused + self._mass(d * either, (1, 2))) ** (1 / self._power)
        if self.norm == "l1":
            weight = weight * channels
        fresh = self._unit(row["pattern"] + self._unit(d * window)) * weight
        return ops.clip(x + self._filled(x, d * (1.0 - either) + fresh), 0.0, 1.0)


def _sign(noise: Tensor) -> Tensor:
    return ops.where(noise >= 0, 1.0, -1.0)


def _signs(rng: Any, shape: tuple[int, ...]) -> np.ndarray:
    return rng.choice(np.array([-1, 1], "float32"), shape)


def _place(rng: Any, side: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    top, left = (int(rng.integers(0, size - side + 1)) for size in shape[:2])
    return slice(top, top + side), slice(left, left + side)


def _hill(side: int, power: int, rng: Any = None) -> np.ndarray:
    """Two hills of opposite sign beside each other, of Lp norm 1; turned at random."""
    half = side // 2
    hill = np.concatenate([_slope(half, side, power), -_slope(side - half, side, power)])
    hill /= np.linalg.norm(hill.ravel(), power)
    return hill.T if rng is not None and rng.random() > 0.5 else hill


def _slope(height: int, width: int, power: int) -> np.ndarray:
    """Nested rectangles around the middle, the k-th of weight 1 / k^2, in L1 1 / k^4."""
    steep = {1: 4, 2: 2}[power]
    found = np.zeros((height, width), "float32")
    middle = height // 2 + 1, width // 2 + 1
    for ring in range(max(middle)):
        top, left = middle[0] - 1 - ring, middle[1] - 1 - ring
        rows = slice(max(top, 0), min(top + 2 * ring + 1, height))
        found[rows, max(left, 0) : min(left + 2 * ring + 1, width)] += 1.0 / (ring + 1) ** steep
    return found / np.linalg.norm(found.ravel(), power)


def _grid(noise: Tensor, power: int) -> Tensor:
    """Hills on a grid of five by five tiles, the sign of each tile and channel from its noise."""
    height, width = noise.shape[1:3]
    side = max(height // 5, 1)
    if side < 2:
        return _sign(noise)
    tops = range((height - 5 * side) // 2, height - side + 1, side)
    lefts = range((height - 5 * side) // 2, width - side + 1, side)
    hill = _hill(side, power)[None, :, :, None].astype("float32")
    total = ops.zeros_like(noise)
    for top in tops:
        for left in lefts:
            tile = hill * _sign(noise[:, top : top + 1, left : left + 1])
            margins = ((0, 0), (top, height - top - side), (left, width - left - side), (0, 0))
            total = total + ops.pad(tile, margins)
    return total
