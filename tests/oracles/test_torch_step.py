"""One training step and the logits against a PyTorch program of the same method."""

import pytest

pytest.importorskip(
    "torch",
    reason="PyTorch is not installed: pip install -r benchmarks/requirements.txt",
)

import numpy as np
import torch

import slr_keras as slr
from benchmarks import _subjects, equality, torch_reference


@pytest.fixture(scope="module")
def differences():
    return equality.step_differences("small_cnn", batch=16)


@pytest.mark.parametrize("name", sorted(equality.TOLERANCES))
def test_one_slr_step_equals_pytorch(differences, name):
    assert differences[name] <= equality.TOLERANCES[name]


def test_resnet18_with_weights_of_pytorch_gives_equal_logits():
    assert equality.logit_difference("resnet18", batch=2) <= equality.LOGITS


def test_weights_survive_the_way_to_pytorch_and_back():
    net = slr.models.resnet18((8, 8, 3), 10, width=4)
    before = [weight.numpy().copy() for weight in net.weights]
    peer = torch_reference.ResNet18(3, 10, width=4)
    torch_reference.copy_to_torch(net, peer)
    for weight in net.weights:
        weight.assign(weight * 0)
    torch_reference.copy_to_keras(peer, net)
    for weight, value in zip(net.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_parameter_counts_agree():
    for model, peer in torch_reference.NETWORKS.items():
        ours = sum(int(np.prod(w.shape)) for w in _subjects.network(model).trainable_weights)
        theirs = _subjects.torch_network(model)
        assert isinstance(theirs, peer)
        assert sum(p.numel() for p in theirs.parameters()) == ours


def test_reference_attack_stays_in_the_ball_and_raises_the_loss():
    torch.manual_seed(0)
    batch = _subjects.data("small_cnn", 8)
    net = _subjects.torch_network("small_cnn")
    trainer = torch_reference.Trainer(net, torch_reference.one_hot_bank(batch.y, 10))
    x, y = torch_reference.to_torch_images(batch.x), torch.from_numpy(batch.y)
    adv = trainer.attack(x, y)
    net.eval()
    loss = torch.nn.functional.cross_entropy
    assert (adv - x).abs().max() <= 8 / 255 + 1e-6
    assert adv.min() >= 0 and adv.max() <= 1
    assert loss(net(adv), y) > loss(net(x), y)
