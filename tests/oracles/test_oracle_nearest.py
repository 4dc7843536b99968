"""MI-FGSM, DeepFool and Carlini and Wagner against closed forms and NumPy by hand."""

import keras
import numpy as np
import pytest

from slr_keras.attacks._norms import NORMS
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._planes import nearest_plane
from slr_keras.attacks.cw import CW
from slr_keras.attacks.deepfool import DeepFool
from slr_keras.attacks.mi_fgsm import MIFGSM
from slr_keras.errors import SettingError

SHAPE = (4, 4, 1)


def linear(w, b):
    """Two classes with logits (0, <w, x> + b)."""

    def logits(x):
        lead = keras.ops.sum(x * w, axis=(1, 2, 3)) + b
        return keras.ops.stack([keras.ops.zeros_like(lead), lead], axis=1)

    return logits


@pytest.fixture
def away_from_the_walls(rng):
    """Images of class 0 of a linear model, its weight and offset, and <w, x> + b."""
    w = rng.normal(size=SHAPE).astype("float32")
    x = (0.5 + 0.02 * rng.normal(size=(6, *SHAPE))).astype("float32")
    b = -float((0.5 * w).sum()) - 0.4
    lead = (x * w).sum((1, 2, 3)) + b
    assert (lead < 0).all()
    return x, w, b, lead


def sizes(norm, d):
    d = np.asarray(d, "float64").reshape(len(d), -1)
    return abs(d).max(1) if norm == "linf" else np.sqrt((d**2).sum(1))


# -- DeepFool ----------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_deepfool_goes_the_exact_distance_of_a_linear_model(norm, away_from_the_walls):
    """One step of (1 + overshoot) (|<w, x> + b| / ||w||_dual + 1e-4)."""
    x, w, b, lead = away_from_the_walls
    dual = abs(w).sum() if norm == "linf" else np.sqrt((w**2).sum())
    objective = Objective(linear(w, b), np.zeros(6, "int32"))
    found = DeepFool(norm=norm, eps=1.0, overshoot=0.05).perturb(objective, x, x)
    want = 1.05 * (abs(lead) / dual + 1e-4)
    np.testing.assert_allclose(sizes(norm, found - x), want, rtol=1e-4)
    near = DeepFool(norm=norm, eps=float(np.sort(want)[2]) * 1.001, overshoot=0.05)
    moved = sizes(norm, near.perturb(objective, x, x) - x) > 0
    np.testing.assert_array_equal(moved, want <= near.eps)


def test_deepfool_leaves_images_alone_that_are_wrong_already(away_from_the_walls):
    x, w, b, _ = away_from_the_walls
    objective = Objective(linear(w, b), np.ones(6, "int32"))
    np.testing.assert_array_equal(DeepFool(eps=1.0).perturb(objective, x, x), x)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_nearest_plane_by_hand(norm, rng):
    """Five classes with linear logits: the plane of the smallest |f_k| / ||w_k - w_y||_dual."""
    w = rng.normal(size=(5, *SHAPE)).astype("float32") * rng.uniform(0.2, 5, (5, 1, 1, 1))
    w = w.astype("float32")
    x, y = rng.random((8, *SHAPE), "float32"), rng.integers(0, 5, 8)

    def logits(v):
        return keras.ops.stack([keras.ops.sum(v * k, axis=(1, 2, 3)) for k in w], axis=1)

    rivals = np.tile(np.arange(5, dtype="int32"), (8, 1))
    plane, value = nearest_plane(Objective(logits, y), NORMS[norm], x, rivals)
    chosen = set()
    for i in range(8):
        lead = [float((x[i] * (k - w[y[i]])).sum()) for k in w]
        dual = {"linf": lambda d: abs(d).sum(), "l2": np.linalg.norm, "l1": lambda d: abs(d).max()}
        far = [
            abs(lead[k]) / dual[norm]((w[k] - w[y[i]]).ravel()) if k != y[i] else np.inf
            for k in range(5)
        ]
        k = int(np.argmin(far))
        chosen.add(k)
        np.testing.assert_allclose(plane[i], w[k] - w[y[i]], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(value[i], lead[k], rtol=1e-3, atol=1e-4)
    assert len(chosen) > 1, "always the same class: the test shows little"


# -- Carlini and Wagner ------------------------------------------------------------------------


def test_cw_finds_the_exact_distance_of_a_linear_model(away_from_the_walls):
    x, w, b, lead = away_from_the_walls
    found = CW(norm="l2", eps=1.0, steps=120, searches=7)(linear(w, b), x, np.zeros(6, "int32"))
    exact = abs(lead) / np.sqrt((w**2).sum())
    got = sizes("l2", found - x)
    assert (got >= exact * (1 - 1e-5)).all(), "nearer than possible"
    np.testing.assert_allclose(got, exact, rtol=0.02)


def test_cw_confidence_is_the_margin_that_is_reached(away_from_the_walls):
    x, w, b, lead = away_from_the_walls
    attack = CW(norm="l2", eps=1.0, steps=120, searches=7, confidence=0.3)
    found = attack(linear(w, b), x, np.zeros(6, "int32"))
    margin = (found * w).sum((1, 2, 3)) + b
    assert (margin >= 0.3 - 1e-5).all() and (margin < 0.35).all()


def test_cw_returns_the_image_where_the_boundary_lies_outside_the_ball(away_from_the_walls):
    x, w, b, lead = away_from_the_walls
    near = 0.5 * float((abs(lead) / np.sqrt((w**2).sum())).min())
    attack = CW(norm="l2", eps=near, steps=120, searches=7)
    found = attack(linear(w, b), x, np.zeros(6, "int32"))
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("targeted", [False, True])
def test_cw_in_the_ball_ends_where_the_margin_reaches_the_confidence(targeted, rng):
    """Signed steps of a linear model raise the lead by step ||w||_1 each, until it is enough."""
    w = rng.normal(size=SHAPE).astype("float32")
    x = np.full((3, *SHAPE), 0.5, "float32")
    gain = 0.01 * abs(w).sum()
    b = np.array([-0.5, -2.5, -9.5], "float32") * gain - 0.5 * w.sum()
    label = np.full(3, int(targeted), "int32")
    objective = Objective(linear(w, b), label, targeted)
    attack = CW(eps=0.05, step_size=0.01, steps=20, confidence=float(0.2 * gain))
    start = keras.ops.convert_to_tensor(x)
    d = np.array(attack.perturb(objective, start, start)) - x
    want = np.reshape([0.01, 0.03, 0.05], (3, 1, 1, 1))
    np.testing.assert_allclose(d / np.sign(w), want + 0 * d, atol=1e-6)


# -- MI-FGSM -----------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_mi_fgsm_trace_by_hand(norm, rng):
    """The same trajectory as algorithm 1 in NumPy on a curved model."""
    w = rng.normal(size=SHAPE).astype("float32")
    x = rng.random((4, *SHAPE), "float32")

    def logits(v):
        lead = keras.ops.sum(keras.ops.sin(9 * v) * w, axis=(1, 2, 3))
        return keras.ops.stack([keras.ops.zeros_like(lead), lead], axis=1)

    found = MIFGSM(norm=norm, eps=0.4, steps=7, decay=0.8).perturb(
        Objective(logits, np.zeros(4, "int32")), *[keras.ops.convert_to_tensor(x)] * 2
    )
    plain = 0
    for i in range(4):
        here, gathered = x[i].astype("float64"), 0.0
        for _ in range(7):
            lead = (np.sin(9 * here) * w).sum()
            gradient = 9 * np.cos(9 * here) * w / (1 + np.exp(-lead))
            gathered = 0.8 * gathered + gradient / abs(gradient).sum()
            plain += (np.sign(gathered) != np.sign(gradient)).sum()
            unit = np.sign(gathered)
            if norm == "l2":
                unit = gathered / np.sqrt((gathered**2).sum())
            d = here + 0.4 / 7 * unit - x[i]
            if norm == "linf":
                d = np.clip(d, -0.4, 0.4)
            else:
                d *= min(1, 0.4 / np.sqrt((d**2).sum()))
            here = np.clip(x[i] + d, 0, 1)
        np.testing.assert_allclose(found[i], here, atol=2e-4)
    assert plain, "the momentum never mattered: the test shows nothing"


@pytest.mark.parametrize(
    ("cls", "settings"),
    [(MIFGSM, {"norm": "l1"}), (DeepFool, {"norm": "l1"}), (CW, {"norm": "l1"})],
)
def test_norms_without_a_definition_are_refused(cls, settings):
    with pytest.raises(SettingError, match="linf and l2"):
        cls(**settings)
