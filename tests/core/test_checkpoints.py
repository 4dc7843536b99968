"""Checkpoints of large state: streamed, restored by rows, readable by and from other versions."""

import hashlib
import json
import tracemalloc

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras import backend
from slr_keras.training import checkpoints
from slr_keras.training.checkpoints import Checkpoints, Position

N, K = 50, 10


def make_model(samples=N):
    net = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(K)])
    model = slr.RobustClassifier(
        net, num_samples=samples, method=slr.methods.SLR(start_epoch=1), attack=slr.attacks.FGSM()
    )
    model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.1, momentum=0.9))
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture
def trained():
    model, rng = make_model(), np.random.default_rng(0)
    model.fit(rng.random((N, 4, 4, 1), "float32"), np.arange(N) % K, batch_size=20, verbose=0)
    return model


def arrays_of(model):
    return {name: np.array(array) for name, array in checkpoints.state_of(model)}


def assert_same(model, other):
    one, two = arrays_of(model), arrays_of(other)
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(two[name], array, err_msg=name)


def test_what_older_versions_wrote_is_read_and_they_read_what_is_written(trained, tmp_path):
    store, wanted = Checkpoints(tmp_path), arrays_of(trained)
    path = store.save(trained, Position(2, 1), {})
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        assert {name: a.tobytes() for name, a in arrays.items()} == {
            name: a.tobytes() for name, a in wanted.items()
        }
    np.savez(path.with_suffix(".npz"), **wanted)
    digest = hashlib.sha256(path.with_suffix(".npz").read_bytes()).hexdigest()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": digest}))
    fresh = make_model()
    assert store.load(fresh, {}) == (Position(2, 1), [])
    assert_same(trained, fresh)


def test_large_arrays_are_restored_row_by_row(trained, tmp_path, monkeypatch):
    store, fresh = Checkpoints(tmp_path), make_model()
    store.save(trained, Position(), {})
    monkeypatch.setattr(checkpoints, "PART", 64)
    store.load(fresh, {})
    assert_same(trained, fresh)


def test_equal_states_have_equal_digests(trained, tmp_path):
    store = Checkpoints(tmp_path)
    one, two = (store.save(trained, Position(1, batch), {}) for batch in (1, 2))
    assert json.loads(one.read_text())["sha256"] == json.loads(two.read_text())["sha256"]


def test_saving_needs_no_second_copy(tmp_path):
    model = make_model(samples=2_000_000)
    tracemalloc.start()
    try:
        Checkpoints(tmp_path).save(model, Position(), {})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert model.label_bank.nbytes == 80_000_000
    assert peak < 60_000_000, "beside what the framework hands out"


def test_a_step_writes_the_bank_in_place():
    if backend.name() == "tensorflow":
        pytest.skip("tells no addresses; benchmarks.label_bank measures it")
    model, rng = make_model(), np.random.default_rng(0)
    x, y = rng.random((N, 4, 4, 1), "float32"), np.arange(N) % K
    model.label_bank.fill(y)
    before, labels = _address(model), np.array(backend.array(model.label_bank.values))
    model.fit(x, y, batch_size=25, epochs=2, verbose=0)
    assert _address(model) == before
    assert (backend.array(model.label_bank.values) != labels).any(axis=1).all()


def _address(model):
    value = model.label_bank.values.value
    return value.data_ptr() if backend.name() == "torch" else value.unsafe_buffer_pointer()
