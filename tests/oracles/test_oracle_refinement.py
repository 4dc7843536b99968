"""Steps 3 to 5 of the method over several epochs, and one whole training step, by hand."""

import dataclasses

import keras
import numpy as np
import pytest

from slr_keras.attacks._base import Attack
from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.labels.adr import ADR
from slr_keras.labels.temporal import TemporalEnsembling
from slr_keras.methods.slr import SLR
from slr_keras.optimizers import SGD
from slr_keras.training import step
from slr_keras.training.label_bank import LabelBank
from slr_keras.training.robust_classifier import RobustClassifier

N, K = 9, 4


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize(
    ("a", "c", "r"), [(0.9, 0.2, 1.0), (0.9, 0.2, 0.7), (0.5, 1.0, 0.3), (0.0, 0.0, 1.0), (1, 1, 0)]
)
def test_labels_and_targets_over_epochs(a, c, r, rng):
    """T <- a T + (1 - a)(c p + (1 - c) p'), t = r T + (1 - r) y, from epoch 3 of 6 on."""
    method, bank = SLR(a, c, r, start_epoch=3), LabelBank(N, K)
    y = rng.integers(0, K, N)
    bank.fill(y)
    hard = np.eye(K)[y]
    table = hard.copy()
    for epoch in range(1, 7):
        order = rng.permutation(N)
        for index in (order[:4], order[4:8], order[8:]):  # the last batch is partial
            z_adv, z = (rng.normal(0, 3, (len(index), K)).astype("float32") for _ in range(2))
            refining = method.refining(epoch)
            outputs = step.Outputs(z_adv, z if refining else None)
            batch = step.Batch(None, y[index], index, None, None)
            found = step.target(method, bank, batch, outputs, refining).label
            if epoch >= 3:
                p, p_adv = softmax(z.astype("float64")), softmax(z_adv.astype("float64"))
                table[index] = a * table[index] + (1 - a) * (c * p + (1 - c) * p_adv)
                wanted = r * table[index] + (1 - r) * hard[index]
            else:
                wanted = hard[index]
            np.testing.assert_allclose(found, wanted, atol=1e-6)
        np.testing.assert_allclose(bank.labels, table, atol=1e-6)


def test_without_a_floor_the_hard_label_decays_geometrically():
    method, bank = SLR(0.9, 0.2, start_epoch=1), LabelBank(1, 2)
    bank.fill(np.array([0]))
    away = np.array([[-50.0, 50.0]], "float32")  # both predictions: class 1
    for k in range(1, 6):
        batch = step.Batch(None, np.array([0]), np.array([0]), None, None)
        t = step.target(method, bank, batch, step.Outputs(away, away), True).label
        np.testing.assert_allclose(t, [[0.9**k, 1 - 0.9**k]], atol=1e-6)


def test_temporal_ensembling_over_epochs(rng):
    """The mean of all predictions so far, weighed by 0.8^age, and the pull towards it."""
    labels, bank = TemporalEnsembling(0.8, 30.0, start_epoch=3, full_epoch=5), LabelBank(N, K)
    y = rng.integers(0, K, N)
    bank.fill(y)
    index, seen = np.arange(N), []
    for epoch in range(1, 8):
        z_adv, z = (rng.normal(0, 3, (N, K)).astype("float32") for _ in range(2))
        now = keras.ops.convert_to_tensor(float(epoch))
        batch = step.Batch(None, y, index, None, None, epoch=now)
        refining = labels.refining(epoch)
        outputs = step.Outputs(z_adv, z if refining else None)
        found = step.target(labels, bank, batch, outputs, refining)
        np.testing.assert_array_equal(found.label, np.eye(K)[y])
        if epoch < 3:
            assert found.soft is None
            continue
        seen.append(softmax(z.astype("float64")))
        age = 0.8 ** np.arange(len(seen))[::-1]
        mean = np.tensordot(age / age.sum(), seen, 1)
        np.testing.assert_allclose(found.soft, mean, atol=1e-6)
        ramp = {3: np.exp(-5), 4: np.exp(-5 / 4)}.get(epoch, 1.0)
        pull = 30 * ramp * ((softmax(z_adv.astype("float64")) - mean) ** 2).mean(1)
        np.testing.assert_allclose(labels.pull(z_adv, found.soft, now), pull, rtol=1e-5)


@pytest.mark.parametrize(
    ("epoch", "weight", "tau"), [(1, 0.6, 3.0), (5, 0.75, 2.0), (30, 0.9, 1.0)]
)
def test_rectified_targets_of_a_teacher(epoch, weight, tau, rng):
    """At the first epoch, half way and long after the end of the annealing."""
    labels = ADR(0.9, 0.6, 0.9, 3.0, 1.0, start_epoch=1, anneal_epochs=8)
    z, y = rng.normal(0, 3, (40, K)).astype("float32"), rng.integers(0, K, 40)
    now = keras.ops.convert_to_tensor(float(epoch))
    batch = step.Batch(None, y, None, None, None, taught=z, epoch=now)
    found = step.target(labels, None, batch, step.Outputs(z), True).label
    p, hard = softmax(z.astype("float64") / tau), np.eye(K)[y]
    share = np.clip(weight - (p.max(1) - p[np.arange(40), y]), 0, 1)[:, None]
    np.testing.assert_allclose(found, share * p + (1 - share) * hard, atol=1e-6)
    assert (np.array(found).argmax(1) == y).mean() > 0.8 and share.min() == 0


# -- one whole step ------------------------------------------------------------------------------

SHAPE, CHANNELS, B = (3, 3, 2), 2, 5


@dataclasses.dataclass(frozen=True)
class Halve(Attack):
    """x' = x / 2: tells the two passes apart, and needs no oracle."""

    def run(self, objective, x, seed):
        return x * 0.5


class NumpyNet:
    """BatchNorm - ReLU - global average - dense in float64, with its gradients."""

    def __init__(self, rng):
        self.gamma, self.beta = rng.uniform(0.5, 1.5, CHANNELS), rng.normal(0, 0.3, CHANNELS)
        self.mean, self.var = rng.normal(size=CHANNELS), rng.uniform(0.5, 2, CHANNELS)
        self.w, self.b = rng.normal(size=(CHANNELS, K)), rng.normal(size=K)

    def keras(self):
        inputs = x = keras.Input(SHAPE)
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(BatchNorm()(x)))
        net = keras.Model(inputs, keras.layers.Dense(K)(x))
        net.set_weights([self.gamma, self.beta, self.mean, self.var, self.w, self.b])
        return net

    def train_pass(self, x):
        """Logits in training mode; moves the statistics as PyTorch does."""
        n = x.size // CHANNELS
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        self.mean = 0.9 * self.mean + 0.1 * mean
        self.var = 0.9 * self.var + 0.1 * var * n / (n - 1)
        self.normed = (x - mean) / np.sqrt(var + 1e-5)
        self.active = self.normed * self.gamma + self.beta
        self.pooled = np.maximum(self.active, 0).mean((1, 2))
        return self.pooled @ self.w + self.b

    def gradients(self, dz):
        """Of gamma, beta, w, b at the last pass, from the gradient of its logits."""
        d = (dz @ self.w.T)[:, None, None, :] / (SHAPE[0] * SHAPE[1]) * (self.active > 0)
        return (
            (d * self.normed).sum((0, 1, 2)),
            d.sum((0, 1, 2)),
            self.pooled.T @ dz,
            dz.sum(0),
        )


@pytest.mark.parametrize("r", [1.0, 0.6])
@pytest.mark.parametrize("clean_pass", ["training", "inference"])
@pytest.mark.parametrize("attack", [PGD(eps=0.0, steps=1), Halve()], ids=["eps=0", "halve"])
def test_one_whole_step(attack, clean_pass, r, rng):
    method = SLR(0.9, 0.2, r, start_epoch=2, clean_pass=clean_pass)
    by_hand, x = NumpyNet(rng), rng.random((B, *SHAPE), "float32")
    y, index = rng.integers(0, K, B), np.array([7, 0, 3, 8, 2], "int32")
    bank = rng.dirichlet(np.ones(K), N).astype("float32")
    model = RobustClassifier(by_hand.keras(), num_samples=N, method=method, attack=attack)
    model.compile(optimizer=SGD(0.1, 0.9, 0.01))
    model.label_bank.labels.assign(bank)
    model.begin_epoch(2)
    logs = model.train_on_batch({"image": x, "index": index}, y, return_dict=True)

    x = x.astype("float64")
    x_adv = x * 0.5 if isinstance(attack, Halve) else x
    clean = NumpyNet(rng)
    clean.__dict__.update(by_hand.__dict__)
    z_adv = by_hand.train_pass(x_adv)  # the adversarial pass moves the statistics first
    clean.mean, clean.var = by_hand.mean, by_hand.var
    if clean_pass == "training":
        z = clean.train_pass(x)
    else:
        scale = by_hand.gamma / np.sqrt(by_hand.var + 1e-5)
        active = np.maximum((x - by_hand.mean) * scale + by_hand.beta, 0)
        z = active.mean((1, 2)) @ by_hand.w + by_hand.b
    table = bank.astype("float64")
    table[index] = 0.9 * table[index] + 0.1 * (0.2 * softmax(z) + 0.8 * softmax(z_adv))
    t = r * table[index] + (1 - r) * np.eye(K)[y]
    loss = -(t * np.log(softmax(z_adv))).sum(1).mean()
    gradients = by_hand.gradients((softmax(z_adv) - t) / B)

    np.testing.assert_allclose(logs["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(model.label_bank.labels, table, atol=1e-6)
    np.testing.assert_array_equal(
        np.delete(model.label_bank.labels, index, 0), np.delete(bank, index, 0)
    )
    gamma, beta, mean, var, w, b = model.net.get_weights()
    np.testing.assert_allclose(mean, clean.mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(var, clean.var, rtol=1e-5)
    old = by_hand.gamma, by_hand.beta, by_hand.w, by_hand.b
    for new, before, g in zip((gamma, beta, w, b), old, gradients, strict=True):
        np.testing.assert_allclose(new, before - 0.1 * (g + 0.01 * before), atol=2e-6)
    np.testing.assert_allclose(logs["accuracy"], (z.argmax(1) == y).mean(), rtol=1e-6)
    np.testing.assert_allclose(logs["robust_accuracy"], (z_adv.argmax(1) == y).mean(), rtol=1e-6)


def test_before_the_start_epoch_the_step_is_plain_at_with_one_pass(rng):
    by_hand, x = NumpyNet(rng), rng.random((B, *SHAPE), "float32")
    y = rng.integers(0, K, B)
    model = RobustClassifier(
        by_hand.keras(), num_samples=N, method=SLR(start_epoch=2), attack=Halve()
    )
    model.compile(optimizer=SGD(0.1, 0.0))
    index = np.arange(B, dtype="int32")
    logs = model.train_on_batch({"image": x, "index": index}, y, return_dict=True)
    z = by_hand.train_pass(0.5 * x.astype("float64"))
    loss = -np.log(softmax(z))[np.arange(B), y].mean()
    np.testing.assert_allclose(logs["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(model.net.get_weights()[2], by_hand.mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.net.get_weights()[3], by_hand.var, rtol=1e-5)
    assert not np.any(model.label_bank.labels), "no row is written before refinement starts"


def test_statistics_over_a_trained_bank(rng):
    labels, rows = rng.integers(0, K, N), rng.dirichlet(np.ones(K), N).astype("float32")
    bank = LabelBank(N, K)
    bank.labels.assign(rows)
    found = bank.statistics(labels)
    p = rows.astype("float64")
    np.testing.assert_allclose(found.entropy, -(p * np.log(p)).sum(1).mean(), rtol=1e-5)
    np.testing.assert_allclose(found.agreement, (rows.argmax(1) == labels).mean())
