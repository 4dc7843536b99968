"""The label bank: distributions in, distributions out, nothing else touched."""

import pathlib

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slr_keras.errors import DataError
from slr_keras.methods.slr import SLR
from slr_keras.training.label_bank import LabelBank

N, K = 12, 4
batches = st.lists(st.lists(st.integers(0, N - 1), min_size=1, max_size=6), min_size=1, max_size=5)


def filled(dtype="float32"):
    bank = LabelBank(N, K, dtype)
    bank.fill(np.arange(N) % K)
    return bank


def rows(rng, n):
    return rng.dirichlet(np.full(K, 0.3), n).astype("float32")


@settings(max_examples=25, deadline=None)
@given(updates=batches, momentum=st.floats(0, 1), clean=st.floats(0, 1), seed=st.integers(0, 99))
def test_rows_stay_distributions_and_untouched_rows_untouched(updates, momentum, clean, seed):
    rng, bank, method = np.random.default_rng(seed), filled(), SLR(momentum, clean)
    given_labels, touched = np.eye(K, dtype="float32")[np.arange(N) % K], set()
    for index in updates:
        old = bank.read(np.array(index), given_labels[index])
        bank.write(
            np.array(index), method.refine(old, rows(rng, len(index)), rows(rng, len(index)))
        )
        touched |= set(index)
    labels = np.array(bank.labels)
    assert (labels >= 0).all()
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-5)
    rest = [i for i in range(N) if i not in touched]
    np.testing.assert_array_equal(labels[rest], given_labels[rest])


@pytest.mark.parametrize("top_k", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_largest_entries_are_kept_and_the_others_share_the_rest(top_k, dtype, rng):
    bank, index, new = LabelBank(N, K, dtype, top_k=top_k), np.array([7, 2, 9]), rows(rng, 3)
    bank.fill(np.arange(N) % K)
    stored = np.array(bank.write(index, new))
    want = new.astype("float64")
    for row in want if top_k < K else ():
        rest = np.argsort(-row)[top_k:]
        row[rest] = row[rest].sum() / len(rest)
    exact = {"float32": 1e-6, "float16": 5e-4}[dtype]
    np.testing.assert_allclose(stored, want, atol=exact)
    np.testing.assert_allclose(stored.sum(1), 1, atol=exact)
    np.testing.assert_array_equal(bank.read(index, 0 * new), stored)
    labels = np.array(bank.labels)
    np.testing.assert_array_equal(labels[index], stored)
    others = np.delete(np.arange(N), index)
    np.testing.assert_array_equal(labels[others], np.eye(K)[others % K])
    assert bank.nbytes == sum(np.array(w).nbytes for w in bank.weights)


def test_the_largest_entries_survive_save_and_start_anew_after_reset(rng, tmp_path):
    bank, given_labels = LabelBank(N, K, top_k=2), np.eye(K, dtype="float32")
    assert not np.any(bank.labels)
    np.testing.assert_array_equal(bank.read(np.array([1]), given_labels[[3]]), given_labels[[3]])
    bank.write(np.arange(N), rows(rng, N))
    other = LabelBank.from_config(bank.get_config())
    other.set_weights(bank.get_weights())
    np.testing.assert_array_equal(bank.labels, other.labels)
    bank.reset()
    bank.fill(np.full(N, 2))
    np.testing.assert_array_equal(bank.labels, given_labels[np.full(N, 2)])


@pytest.mark.parametrize("filling", [True, False])
def test_statistics_of_the_kept_entries_are_those_of_the_rows(rng, filling):
    bank, classes = LabelBank(N, K, top_k=2), np.arange(N) % K
    if filling:
        bank.fill(classes)
    bank.write(np.arange(6), rows(rng, 6))  # some are written, the others as they were
    p = np.array(bank.labels).astype("float64")
    p[p.sum(-1) == 0] = np.eye(K)[classes[p.sum(-1) == 0]]
    found = bank.statistics(classes)
    entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(-1)
    np.testing.assert_allclose(found.entropy, entropy.mean(), rtol=1e-5)
    assert found.agreement == pytest.approx((p.argmax(-1) == classes).mean())
    assert 0.5 < found.agreement < 1


def test_a_million_rows_of_a_thousand_classes_fit():
    bytes_of = lambda **options: LabelBank(1000, 1000, **options).nbytes * 1.28e6 / 1000  # noqa: E731
    assert bytes_of() == 5.12e9 and bytes_of(dtype="float16") == 2.56e9
    assert bytes_of(dtype="float16", top_k=10) == 76.8e6


@settings(max_examples=25, deadline=None)
@given(index=st.lists(st.integers(0, 3), min_size=2, max_size=8), seed=st.integers(0, 99))
def test_first_place_of_a_duplicate_wins(index, seed):
    bank, new = filled(), rows(np.random.default_rng(seed), len(index))
    stored = np.array(bank.write(np.array(index), new))
    for place, i in enumerate(index):
        np.testing.assert_array_equal(stored[place], new[index.index(i)])
        np.testing.assert_array_equal(bank.labels[i], new[index.index(i)])


def test_filling_again_renews_the_rows_whose_label_changed(rng):
    bank, index, new = filled(), np.array([1, 2]), rows(rng, 2)
    bank.write(index, new)
    labels = np.arange(N) % K
    bank.fill(labels)
    np.testing.assert_array_equal(np.array(bank.labels)[index], new)  # the same labels: kept
    labels[[2, 5]] = 3, 0
    bank.fill(labels)
    wanted = np.eye(K, dtype="float32")[labels]
    wanted[1] = new[0]
    np.testing.assert_array_equal(bank.labels, wanted)


def test_reset_forgets_every_row(rng):
    bank, index = filled(), np.array([1, 2])
    bank.write(index, rows(rng, 2))
    bank.reset()
    bank.fill(np.full(N, 3))
    np.testing.assert_array_equal(bank.labels, np.eye(K, dtype="float32")[np.full(N, 3)])


def test_reading_what_was_never_written_gives_the_given_label(rng):
    bank, given_rows = LabelBank(N, K), np.eye(K, dtype="float32")[[2, 0]]
    np.testing.assert_array_equal(bank.read(np.array([5, 6]), given_rows), given_rows)
    new = rows(rng, 1)
    bank.write(np.array([5]), new)
    both = np.stack([new[0], given_rows[1]])
    np.testing.assert_array_equal(bank.read(np.array([5, 6]), given_rows), both)


def test_fill_keeps_what_is_written(rng):
    bank, new = LabelBank(N, K), rows(rng, 1)
    bank.write(np.array([3]), new)
    bank.fill(np.zeros(N, "int32"))
    np.testing.assert_array_equal(bank.labels[3], new[0])
    np.testing.assert_array_equal(np.delete(bank.labels, 3, axis=0), np.eye(K)[[0] * (N - 1)])


@pytest.mark.parametrize("count", [0, N - 1, N + 1])
def test_fill_wants_one_label_a_sample(count):
    with pytest.raises(DataError, match=f"expected {N} .* received {count}"):
        LabelBank(N, K).fill(np.zeros(count, "int32"))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_round_trip_is_bit_exact(dtype, rng, tmp_path: pathlib.Path):
    def model_of(bank):
        inputs = keras.Input((2,))
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
        model.bank = bank
        return model

    bank = filled(dtype)
    bank.write(np.arange(5), rows(rng, 5))
    model_of(bank).save_weights(tmp_path / "a.weights.h5")
    other = LabelBank(N, K, dtype)
    model_of(other).load_weights(tmp_path / "a.weights.h5")
    assert np.array(other.labels).tobytes() == np.array(bank.labels).tobytes()


def test_config_round_trip():
    bank = LabelBank.from_config(LabelBank(N, K, "float16").get_config())
    assert tuple(bank.labels.shape) == (N, K) and bank.labels.dtype == "float16"


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("float16", 2)])
def test_memory_is_one_number_an_entry(dtype, size):
    bank = LabelBank(1000, 10, dtype)
    assert sum(np.array(w).nbytes for w in bank.weights) == 1000 * 10 * size
    assert not bank.trainable_weights


def test_float16_stores_rounded_rows_and_returns_what_it_stored(rng):
    bank, new = filled("float16"), rows(rng, 3)
    stored = np.array(bank.write(np.array([0, 1, 2]), new))
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, new.astype("float16").astype("float32"))
    np.testing.assert_array_equal(bank.read(np.array([0, 1, 2]), new), stored)


def test_statistics_in_closed_form():
    bank, labels = LabelBank(4, K), np.array([0, 1, 2, 3])
    bank.write(np.array([0, 1]), np.array([[0.25] * 4, [0.5, 0.25, 0.25, 0]], "float32"))
    found = bank.statistics(labels)
    entropy = (np.log(4) + 0.5 * np.log(2) + 0.5 * np.log(4)) / 4  # the other two rows: 0
    np.testing.assert_allclose(found.entropy, entropy, rtol=1e-6)
    assert found.agreement == 0.75  # row 1 prefers class 0
