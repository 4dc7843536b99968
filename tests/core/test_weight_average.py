"""The moving average of the weights, against NumPy."""

import keras
import numpy as np
import pytest

from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.methods.at import AT
from slr_keras.optimizers import SGD
from slr_keras.training.robust_classifier import RobustClassifier

DECAY, BATCH, N, K = 0.8, 16, 64, 5


def network(seed=0):
    keras.utils.set_random_seed(seed)  # of PyTorch too, whose dropout draws from it
    inputs = x = keras.Input((8, 8, 1))
    x = keras.layers.ReLU()(BatchNorm()(keras.layers.Conv2D(4, 3, strides=2, use_bias=False)(x)))
    x = keras.layers.Dropout(0.1)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(K)(x))


def classifier(net=None, **options):
    attack = PGD(eps=0.1, step_size=0.05, steps=2, random=False)
    model = RobustClassifier(net or network(), method=AT(), attack=attack, **options)
    model.compile(optimizer=SGD(0.5, 0.9))
    return model


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    return rng.random((N, 8, 8, 1), "float32"), rng.integers(0, K, N)


def steps_of(model, data, epochs):
    """The weights after every step, by batches of their own so that the model stays readable."""
    x, y = data
    seen = []
    for epoch in range(1, epochs + 1):
        model.begin_epoch(epoch)
        for first in range(0, N, BATCH):
            part = slice(first, first + BATCH)
            model.train_on_batch(x[part], y[part])
            seen.append(model.net.get_weights())
    return seen


def averaged(seen):
    """a <- d a + (1 - d) w, from the first of them on."""
    average = seen[0]
    for weights in seen[1:]:
        average = [DECAY * a + (1 - DECAY) * w for a, w in zip(average, weights, strict=True)]
    return average


def close(weights, wanted, atol=1e-6):
    for one, other in zip(weights, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.fixture(scope="module")
def trained(data):
    model = classifier(ema_decay=DECAY, ema_start_epoch=2)
    return model, steps_of(model, data, epochs=3)


def test_the_average_is_that_of_the_steps_from_the_start_epoch_on(trained):
    model, seen = trained
    close(model.trained_network().get_weights(), averaged(seen[N // BATCH :]))


def test_moving_statistics_are_averaged_too_and_the_average_is_elsewhere(trained):
    model, seen = trained
    found = zip(model.trained_network().get_weights(), seen[-1], strict=True)
    assert all(abs(a - w).max() > 1e-4 for a, w in found), "else nothing is shown"


def test_training_itself_is_as_without_an_average(data, trained):
    _, seen = trained
    plain = classifier()
    close(steps_of(plain, data, epochs=3)[-1], seen[-1], atol=1e-6)
    assert plain.trained_network() is plain.net


def test_before_the_start_epoch_the_network_is_its_own_average(data):
    model = classifier(ema_decay=DECAY, ema_start_epoch=2)
    seen = steps_of(model, data, epochs=1)
    close(model.trained_network().get_weights(), seen[-1], atol=0)
    z = keras.ops.convert_to_numpy(model.net(data[0], training=False))
    np.testing.assert_allclose(model.predict(data[0], verbose=0), z, atol=1e-6)


def test_predict_and_evaluate_see_the_average(data, trained):
    (x, y), (model, _) = data, trained
    plain = classifier(model.trained_network())
    np.testing.assert_allclose(model.predict(x, verbose=0), plain.predict(x, verbose=0), atol=1e-5)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    wanted = plain.evaluate(x, y, verbose=0, return_dict=True)
    assert found == pytest.approx(wanted, abs=1e-5)


def test_fit_starts_averaging_with_its_epoch(data):
    model = classifier(ema_decay=DECAY, ema_start_epoch=2)
    model.fit(*data, batch_size=BATCH, epochs=3, verbose=0)
    assert float(keras.ops.convert_to_numpy(model.weight_average.steps)) == 2 * N // BATCH


def test_a_saved_model_keeps_its_average_and_goes_on(tmp_path, data, trained):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    other = keras.models.load_model(tmp_path / "model.keras")
    assert (other.ema_decay, other.ema_start_epoch) == (DECAY, 2)
    close(other.trained_network().get_weights(), model.trained_network().get_weights(), atol=0)


def test_the_copy_trains_as_the_network_would(trained):
    model, _ = trained
    copy, net = model.trained_network(), model.net
    assert len(copy.trainable_weights) == len(net.trainable_weights)
    assert [type(layer) for layer in copy.layers] == [type(layer) for layer in net.layers]
