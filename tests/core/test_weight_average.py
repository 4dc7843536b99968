"""The moving average of the weights, against NumPy."""

import keras
import numpy as np
import pytest

from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.errors import UserError
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
    model = classifier(ema_decay=DECAY, ema_start_epoch=2, ema_warmup=False)
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


# -- the mean of epochs --------------------------------------------------------------------------


def statistics(net, x):
    """Mean and unbiased variance of what comes into the BatchNorm, the batches by their size."""
    before = keras.Model(net.input, next(n for n in net.layers if isinstance(n, BatchNorm)).input)
    seen = [keras.ops.convert_to_numpy(before(part)) for part in (x[:50], x[50:])]
    flat = [values.reshape(-1, values.shape[-1]).astype("float64") for values in seen]
    counts = np.array([50, len(x) - 50]) / len(x)
    mean = sum(c * values.mean(0) for c, values in zip(counts, flat, strict=True))
    return mean, sum(c * values.var(0, ddof=1) for c, values in zip(counts, flat, strict=True))


def test_the_mean_of_epochs_has_statistics_of_its_own(data):
    """By NumPy: the mean of the weights after epochs 2 and 3, statistics of all images anew."""
    model, (x, y), seen = classifier(swa_start_epoch=2), data, []
    model.statistics_images = lambda: (x[:50], x[50:])
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.net.get_weights())
    )
    model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0, shuffle=False, callbacks=[note])
    found = model.trained_network()
    wanted = [(a + b) / 2 for a, b in zip(*seen[1:], strict=True)]
    norm = next(layer for layer in found.layers if isinstance(layer, BatchNorm))
    own = {id(norm.moving_mean), id(norm.moving_variance)}
    kept = [(w, v) for w, v in zip(found.weights, wanted, strict=True) if id(w) not in own]
    assert len(kept) == len(wanted) - 2
    close(*zip(*kept, strict=True))
    mean, variance = statistics(found, x)
    np.testing.assert_allclose(norm.moving_mean, mean, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-4)
    assert norm.momentum == BatchNorm().momentum
    again = [np.array(w) for w in model.weight_average.averages]
    model.end_epoch()  # the same epoch once more, as after a resume
    for one, other in zip(again, model.weight_average.averages, strict=True):
        np.testing.assert_array_equal(one, other)
    answers = keras.ops.convert_to_numpy(found(x))
    np.testing.assert_allclose(model.predict(x, verbose=0), answers, atol=1e-5)


def test_a_data_set_is_read_again_and_a_generator_cannot_be(data):
    x, y = data
    pairs = [(x[:32], y[:32]), (x[32:], y[32:])]

    class Pairs(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, number):
            return pairs[number]

    model = classifier(swa_start_epoch=1)
    model.fit(Pairs(), epochs=1, verbose=0)
    assert float(keras.ops.convert_to_numpy(model.weight_average.steps)) == 1
    with pytest.raises(UserError, match=r"cannot be read again.*Set model\.statistics_images"):
        model.fit((pair for pair in pairs * 9), steps_per_epoch=2, epochs=1, verbose=0)


def test_two_averages_are_refused():
    with pytest.raises(UserError, match="one average is evaluated"):
        classifier(swa_start_epoch=1, ema_decay=0.9)
