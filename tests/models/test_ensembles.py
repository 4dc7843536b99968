"""Ensembles: the mean by NumPy, folded for attacks, saved as plain Keras, gradients from all."""

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras import networks, saving
from slr_keras.attacks.fgsm import FGSM
from slr_keras.ensembles import ensemble
from slr_keras.errors import ModelError, UserError
from slr_keras.inference import InferenceNetwork

SHAPE = (8, 8, 1)


def filled(net, seed):
    """Every weight drawn, statistics of BatchNorm too; variances stay positive."""
    rng = np.random.default_rng(seed)
    net.set_weights(
        [w + 0.3 * np.abs(rng.normal(size=w.shape)) - 0.1 * w for w in net.get_weights()]
    )
    return net


def operations():
    """A network with operations that are no layers, for images of any size."""
    inputs = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(3, 3, name="conv1")(inputs * 2 - 1)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.ops.relu(x))
    return keras.Model(inputs, keras.layers.Dense(4)(x), name="operations")


@keras.saving.register_keras_serializable("tests")
class Own(keras.Model):
    """A subclassed network: no graph to copy."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(4)

    def call(self, x):
        return self.dense(keras.ops.mean(x, (1, 2)))


@pytest.fixture(scope="module")
def members():
    cnn = slr.models.small_cnn(input_shape=SHAPE, num_classes=4, width=3, strides=(2,))
    sequential = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(4, name="conv1")]
    )
    return [filled(net, seed) for seed, net in enumerate((cnn, operations(), sequential))]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(7).random((5, *SHAPE)).astype("float32")


def logits(net, x):
    return keras.ops.convert_to_numpy(net(keras.ops.convert_to_tensor(x), training=False))


def mean_by_hand(members, x, of):
    z = np.array([logits(net, x) for net in members], "float64")
    if of == "logits":
        return z.mean(0)
    p = np.exp(z - z.max(-1, keepdims=True))
    return np.log((p / p.sum(-1, keepdims=True)).mean(0))


@pytest.mark.parametrize("of", ["logits", "probabilities"])
def test_the_mean_folded_and_saved(members, images, of, tmp_path):
    net = ensemble(members, of)
    wanted = mean_by_hand(members, images, of)
    np.testing.assert_allclose(logits(net, images), wanted, atol=1e-5)
    assert networks.input_shape(net) == (None, *SHAPE) and networks.num_classes(net) == 4
    inference = InferenceNetwork(net)
    assert len(inference.frozen) == 5  # two convolutions with their BatchNorm, three dense layers
    folded = inference.snapshot()(keras.ops.convert_to_tensor(images))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(folded), wanted, atol=1e-5)
    saving.save_network(net, tmp_path / "both.keras")
    read = saving.load_model(tmp_path / "both.keras")
    assert all(type(layer).__module__.startswith("keras.") for layer in read.layers)
    np.testing.assert_allclose(logits(read, images), wanted, atol=1e-5)


def test_members_stay_as_they_are(members, images):
    before = [net.get_weights() for net in members]
    net = ensemble(members)
    net.set_weights([0 * weight for weight in net.get_weights()])
    for weights, member in zip(before, members, strict=True):
        for old, new in zip(weights, member.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


def test_a_subclassed_member_stands_in_it_as_it_is(members, images):
    own = Own(name="own")
    own(images)
    net = ensemble([own, members[0]])
    wanted = mean_by_hand([own, members[0]], images, "logits")
    np.testing.assert_allclose(logits(net, images), wanted, atol=1e-5)
    folded = InferenceNetwork(net).snapshot()(keras.ops.convert_to_tensor(images))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(folded), wanted, atol=1e-5)
    twin = Own(name="own")
    twin(images)
    with pytest.raises(ModelError, match="make no ensemble: .*own"):
        ensemble([own, twin])


def test_an_attack_sees_all_members():
    """FGSM on the mean of two linear models moves each pixel by the sign of the mean weight."""
    rng, nets = np.random.default_rng(1), []
    for _ in range(2):
        net = keras.Sequential(
            [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
        )
        net.set_weights([rng.normal(size=(4, 2)).astype("float32")])
        nets.append(net)
    slopes = [net.get_weights()[0] @ [-1, 1] for net in nets]
    assert (np.sign(slopes[0]) != np.sign(slopes[1])).any()
    x = np.full((1, 2, 2, 1), 0.5, "float32")
    moved = FGSM(eps=0.1)(ensemble(nets), x, np.array([1])) - x
    wanted = -0.1 * np.sign(np.mean(slopes, 0))
    np.testing.assert_allclose(moved.reshape(-1), wanted, atol=1e-6)


def test_members_that_do_not_fit_are_named(members):
    with pytest.raises(UserError, match="two networks or more for an ensemble, received 1"):
        ensemble(members[:1])
    with pytest.raises(UserError, match="of: expected logits or probabilities, received 'votes'"):
        ensemble(members, of="votes")
    three = slr.models.small_cnn(input_shape=SHAPE, num_classes=3, width=2, strides=(2,))
    with pytest.raises(ModelError, match=r"^network 2 of the ensemble .* has 3 classes"):
        ensemble([members[0], three])
    small = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    with pytest.raises(ModelError, match=r"^network 3 of the ensemble .* takes \(4, 4, 1\)"):
        ensemble([members[1], members[0], small])
    soft = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(4, "softmax")]
    )
    with pytest.raises(ModelError, match="^network 1 of the ensemble .*received probabilities"):
        ensemble([soft, members[0]])
