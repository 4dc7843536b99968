"""Loss, gradient of every weight, labels and statistics of a step against plain PyTorch.

The adversarial images are given: another sum in another order would flip signs of the attack.
"""

import itertools

import pytest

pytest.importorskip(
    "torch",
    reason="PyTorch is not installed: pip install -r benchmarks/requirements.txt",
)

import keras
import numpy as np
import torch

import slr_keras as slr
from benchmarks import _subjects, torch_methods, torch_reference
from slr_keras.training import step

METHODS = {"at": slr.methods.AT(), "trades": slr.methods.TRADES(), "mart": slr.methods.MART()}
GAMMAS = {"at": 0.01, "trades": 0.005, "mart": 0.005}
BATCH = 16
tensor = keras.ops.convert_to_tensor


def refined(y):
    """Soft labels as they are after some epochs."""
    rng = np.random.default_rng(1)
    rows = 0.6 * np.eye(10)[y] + 0.4 * rng.dirichlet(np.ones(10), len(y))
    return rows.astype("float32")


def both_steps(name, soft, perturbed):
    """What ours and theirs compute from the same weights and images."""
    data = _subjects.data("small_cnn", BATCH)
    noise = np.random.default_rng(2).uniform(-0.1, 0.1, data.x.shape)
    x_adv = np.clip(data.x + noise, 0, 1).astype("float32")
    net, peer = _subjects.network("small_cnn"), _subjects.torch_network("small_cnn")
    torch_reference.copy_to_torch(net, peer)
    gamma, bank = GAMMAS[name] * perturbed, refined(data.y) if soft else None
    ours = slr.RobustClassifier(
        net,
        num_samples=BATCH,
        method=METHODS[name],
        labels=slr.labels.SLR(start_epoch=1) if soft else None,
        awp=slr.AWP(gamma=gamma),
    )
    ours.compile(optimizer=slr.optimizers.SGD(0.1))
    if soft:
        ours.label_bank.values.assign(bank)
    found = {}
    given = step.Batch(
        *map(tensor, (data.x, data.y.astype("int32"), data.index)), None, tensor(x_adv)
    )
    ours.attack_batch = lambda _: given
    ours.update = lambda gradients: found.update(gradients=gradients)
    ours.record = lambda batch, loss, outputs: found.update(loss=float(loss))
    ours.train_batch(None, ours._gradients)
    found["bank"] = np.array(ours.label_bank.labels) if soft else None
    theirs = torch_methods.Step(peer, name, torch.from_numpy(bank.copy()) if soft else None, gamma)
    images = [torch_reference.to_torch_images(x) for x in (data.x, x_adv)]
    loss, gradients = theirs.gradients(
        *images, torch.from_numpy(data.y), torch.from_numpy(data.index).long()
    )
    return net, peer, found, theirs, loss, gradients


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="one backend speaks for all")
@pytest.mark.parametrize(
    ("name", "soft", "perturbed"),
    [
        (n, s, p)
        for n, s, p in itertools.product(METHODS, (0, 1), (0, 1))
        if not (n == "mart" and p)
    ],
)
def test_one_step_equals_pytorch(name, soft, perturbed):
    net, peer, found, theirs, loss, gradients = both_steps(name, soft, perturbed)
    assert abs(found["loss"] - loss) <= 1e-6 * max(1, abs(loss))
    ours = dict(zip([id(w) for w in net.trainable_weights], found["gradients"], strict=True))
    peers = dict(zip(map(id, peer.parameters()), gradients, strict=True))
    compared = 0
    for weight, parameter in torch_reference.weight_pairs(net, peer):
        if weight.trainable:
            mine = np.array(ours[id(weight)])
            other = torch_reference.as_keras(peers[id(parameter)])
            assert np.linalg.norm(mine - other) <= 1e-5 * np.linalg.norm(other) + 1e-8, weight.path
            compared += 1
        else:
            np.testing.assert_allclose(weight, torch_reference.as_keras(parameter), atol=1e-6)
    assert compared == len(net.trainable_weights)
    if soft:
        np.testing.assert_allclose(found["bank"], theirs.bank.numpy(), atol=1e-6)
