"""The head trained alone first: nothing else moves, then all does, and it goes on bit for bit."""

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras import backend
from slr_keras.models import _freezing, _heads
from slr_keras.training.awp import AWP
from slr_keras.training.checkpoints import Checkpoints, Position


def classifier(frozen=2, **parts):
    keras.utils.set_random_seed(0)
    net = slr.models.small_cnn((8, 8, 1), 10, width=2, strides=(1, 2))
    attack = slr.attacks.PGD(eps=0.1, step_size=0.05, steps=2)
    model = slr.RobustClassifier(
        net, num_samples=96, method=slr.methods.AT(), attack=attack, freeze_epochs=frozen, **parts
    )
    model.compile(slr.optimizers.SGD(learning_rate=0.05, momentum=0.9, l2=5e-4))
    return model


class Weights(keras.callbacks.Callback):
    """What the network was after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        backend.synchronise(self.model)
        self.seen = [*getattr(self, "seen", []), self.model.net.get_weights()]


PARTS = [{}, {"ema_decay": 0.9}, {"swa_start_epoch": 1}, {"awp": AWP(gamma=0.01)}]


@pytest.mark.parametrize("parts", PARTS, ids=lambda p: ",".join(p) or "plain")
def test_the_head_moves_first_and_then_all(digits, parts):
    model, kept = classifier(**parts), Weights()
    start, count = model.net.get_weights(), len(model.net.trainable_variables)
    of_head = set(map(id, _heads.find(model.net).weights))
    model.fit(*digits, batch_size=48, epochs=3, verbose=0, callbacks=[kept])
    for epoch, values in enumerate(kept.seen, 1):
        for weight, before, now in zip(model.net.weights, start, values, strict=True):
            moves = epoch > 2 or id(weight) in of_head
            assert np.array_equal(before, now) is not moves, (epoch, weight.path)
    assert len(model.net.trainable_variables) == count


def test_a_file_of_a_frozen_epoch_is_not_frozen(digits, tmp_path):
    model = classifier()
    count = len(model.net.trainable_variables)
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    model.fit(*digits, batch_size=48, epochs=1, verbose=0, callbacks=[keep])
    again = keras.models.load_model(tmp_path / "1.keras")
    assert again.freeze_epochs == 2 and len(again.net.trainable_variables) == count


def test_a_second_fit_trains_all(digits):
    model = classifier()
    model.fit(*digits, batch_size=48, epochs=2, verbose=0)
    before = model.net.get_weights()
    model.fit(*digits, batch_size=48, initial_epoch=2, epochs=3, verbose=0)
    assert not any(map(np.array_equal, before, model.net.get_weights()))


@pytest.mark.parametrize("stop", [1, 2])
def test_it_goes_on_as_if_it_had_not_stopped(digits, tmp_path, stop):
    def end(model, first):
        model.fit(*digits, batch_size=48, initial_epoch=first, epochs=3, shuffle=False, verbose=0)
        return model.net.get_weights()

    whole = end(classifier(), 0)
    first, places = classifier(), Checkpoints(tmp_path)
    first.fit(*digits, batch_size=48, epochs=stop, shuffle=False, verbose=0)
    backend.synchronise(first)
    places.save(first, Position(stop + 1), {})
    second = classifier()
    second.optimizer.build(second.trainable_variables)
    places.load(second, {})
    for a, b in zip(end(second, stop), whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_who_loops_alone_lets_go(digits):
    model = classifier()
    model.begin_epoch(1)
    assert _freezing.is_frozen(model.net) and model.optimizer.built
    model.end_training()
    assert not _freezing.is_frozen(model.net)
