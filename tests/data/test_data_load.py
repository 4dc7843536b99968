import dataclasses
import doctest
import importlib
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slr_keras import data
from slr_keras.data import Dataset, DataSettings, Splits, load, prepare
from slr_keras.data._split import balanced, mislabel, stratified
from slr_keras.errors import DataError, SettingError
from slr_keras.settings import registry, schema
from tests.processes import finished

MODULES = (
    "_settings",
    "_dataset",
    "_load",
    "_look",
    "_split",
    "_batches",
    "_stream",
)


def tagged(n, classes=4, start=0):
    """Images that carry their own number in their first two pixels, and labels 0..classes-1."""
    x = np.zeros((n, 3, 3, 1), np.uint8)
    numbers = np.arange(start, start + n)
    x[:, 0, 0, 0], x[:, 0, 1, 0] = numbers // 256, numbers % 256
    return x, (numbers % classes).astype(np.int64)


def numbers(x):
    return x[:, 0, 0, 0].astype(int) * 256 + x[:, 0, 1, 0]


def made(n=400, seed=0, **changes):
    x, y = tagged(n)
    x_test, y_test = tagged(40, start=1000)
    return prepare(Splits(x, y, x_test=x_test, y_test=y_test), DataSettings(**changes), seed)


def test_splits_are_disjoint_complete_and_keep_their_labels():
    d = made(val_fraction=0.25)
    train, val, test = (set(numbers(x)) for x in (d.x_train, d.x_val, d.x_test))
    assert train.isdisjoint(val) and train | val == set(range(400))
    assert test == set(range(1000, 1040))
    for x, y in ((d.x_train, d.y_train), (d.x_val, d.y_val)):
        np.testing.assert_array_equal(numbers(x) % 4, y)
    assert np.bincount(d.y_val).tolist() == [25] * 4


def test_validation_cut_depends_on_the_seed_alone():
    assert (
        made().x_val == made(label_noise=0.5, train_samples=50, augment="crop-flip").x_val
    ).all()
    assert (made().x_val != made(seed=1).x_val).any()
    assert (made().x_test == made(seed=1).x_test).all()


def test_validation_of_the_source_is_kept_and_zero_means_none():
    x, y = tagged(40)
    own = Splits(x[:20], y[:20], x[20:30], y[20:30], x[30:], y[30:])
    d = prepare(own, DataSettings(val_fraction=0.5), 0)
    assert len(d.y_train) == 20 and set(numbers(d.x_val)) == set(range(20, 30))
    none = made(val_fraction=0)
    assert none.x_val.shape == (0, 3, 3, 1) and none.y_val.shape == (0,)
    assert len(none.y_train) == 400 and none.y_val.dtype == np.int32


def test_missing_test_split_is_cut_once_for_all_seeds_and_said():
    x, y = tagged(200)
    a, b = (prepare(Splits(x, y), DataSettings(), seed) for seed in (0, 1))
    assert np.bincount(a.y_test).tolist() == [5] * 4
    np.testing.assert_array_equal(a.x_test, b.x_test)
    assert "no test split: 20 training images" in a.notes[0]
    parts = [set(numbers(part)) for part in (a.x_train, a.x_val, a.x_test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 200


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_stratified_is_within_one_of_the_exact_share(labels, share, seed):
    labels = np.array(labels)
    count = round(share * len(labels))
    chosen = stratified(labels, count, seed, "x")
    assert len(set(chosen)) == count and (np.diff(chosen) > 0).all()
    exact = np.bincount(labels) * count / len(labels)
    assert np.abs(np.bincount(labels[chosen], minlength=len(exact)) - exact).max() < 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_balanced_fills_all_classes_alike(labels, share, seed):
    labels = np.array(labels)
    sizes, count = np.bincount(labels), round(share * len(labels))
    got = np.bincount(labels[balanced(labels, count, seed, "x")], minlength=len(sizes))
    assert got.sum() == count
    unfilled = got[got < sizes]  # a class that is not exhausted has the most, give or take one
    assert not len(unfilled) or unfilled.min() >= got.max() - 1


def test_subset_is_balanced_and_reproducible():
    d = made(train_samples=40)
    assert np.bincount(d.y_train).tolist() == [10] * 4
    np.testing.assert_array_equal(d.x_train, made(train_samples=40).x_train)
    assert set(numbers(d.x_train)) <= set(numbers(made().x_train))
    assert (d.x_train != made(train_samples=40, seed=1).x_train).any()


def test_noise_record_restores_the_labels():
    for kind in ("symmetric", "pair"):
        d, clean = made(label_noise=0.5, noise_kind=kind, seed=3), made(seed=3)
        np.testing.assert_array_equal(d.true_labels, clean.y_train)
        np.testing.assert_array_equal(np.flatnonzero(d.y_train != clean.y_train), d.noisy_index)
        np.testing.assert_array_equal(d.y_val, clean.y_val)
        np.testing.assert_array_equal(d.y_test, clean.y_test)
        np.testing.assert_array_equal(d.x_train, clean.x_train)
    assert not len(clean.noisy_index) and clean.noisy_index.dtype == np.int32


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("rate", [0.2, 0.6, 1.0])
def test_symmetric_noise_has_the_stated_rate_and_is_uniform(classes, rate):
    scipy_stats = pytest.importorskip("scipy.stats")
    labels = (np.arange(40000) % classes).astype(np.int32)
    given_, changed = mislabel(labels, classes, rate, "symmetric", seed=1)
    expected = rate * (classes - 1) / classes
    assert len(changed) / 40000 == pytest.approx(expected, abs=0.012)
    wrong = np.zeros((classes, classes), int)
    np.add.at(wrong, (labels[changed], given_[changed]), 1)
    off_diagonal = wrong[~np.eye(classes, dtype=bool)]
    assert (np.diag(wrong) == 0).all()
    assert scipy_stats.chisquare(off_diagonal).pvalue > 1e-3


def test_pair_noise_is_exact():
    labels = (np.arange(1000) % 10).astype(np.int32)
    given_, changed = mislabel(labels, 10, 0.3, "pair", seed=0)
    assert len(changed) == 300 and given_.dtype == np.int32
    assert (given_[changed] == (labels[changed] + 1) % 10).all()
    assert 0 in given_[labels == 9]
    assert (mislabel(labels, 10, 0.0, "pair", seed=0)[0] == labels).all()


def test_digits():
    d = load(DataSettings(), seed=0)
    assert repr(d) == "Dataset('digits', 1293 train, 144 val, 360 test, 8x8x1, 10 classes)"
    assert d.x_train.dtype == np.float32 and d.input_shape == (8, 8, 1) and d.num_classes == 10
    assert d.x_train.min() == 0 and d.x_train.max() == 1
    assert set(np.unique(d.x_train * 16)) == set(range(17))
    assert np.bincount(d.y_test).min() >= 34 and len(d.y_train) + len(d.y_val) == 1437
    rows = np.concatenate([d.x_train, d.x_val, d.x_test]).reshape(1797, -1)
    from sklearn.datasets import load_digits

    original = np.sort((load_digits().data / 16) @ np.arange(1, 65))
    np.testing.assert_allclose(np.sort(rows @ np.arange(1, 65)), original, rtol=1e-5)


def test_preparing_leaves_the_callers_arrays_alone():
    x, y = tagged(40)
    before = x.copy(), y.copy()
    d = prepare(Splits(x, y, x_test=x, y_test=y), DataSettings(label_noise=1, val_fraction=0), 0)
    assert len(d.noisy_index)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        d.name = "other"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"train_samples": 400}, "data.train_samples: expected at most 360.*received 400"),
        ({"val_fraction": 0.995}, "leaves none of class"),
    ],
)
def test_impossible_cuts(changes, message):
    with pytest.raises(DataError, match=f"^digits: .*{message}"):
        made(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"val_fraction": 1.0}, {"val_fraction": -0.1}, {"label_noise": 1.5}, {"augment": "flip"},
     {"noise_kind": "pairs"}, {"train_samples": -1}, {"name": 3}],
)  # fmt: skip
def test_settings_out_of_range(changes):
    with pytest.raises(SettingError, match=next(iter(changes))):
        DataSettings(**changes)


def test_settings_round_trip_and_help():
    wanted = DataSettings(name="cifar10", augment="crop-flip", label_noise=0.4)
    leaves = list(schema.walk(DataSettings, registry.variants))
    assert {leaf.path for leaf in leaves} == {f.name for f in dataclasses.fields(DataSettings)}
    assert all(leaf.facts.help and not leaf.facts.help.endswith(".") for leaf in leaves)
    assert schema.from_dict(DataSettings, schema.to_dict(wanted), registry.variants) == wanted


def test_settings_and_registry_load_neither_numpy_nor_a_framework():
    program = (
        "import sys, slr_keras.data as d; d.DataSettings();"
        "from slr_keras.settings import registry;"
        "registry.variants('data');"
        "print([m for m in ('numpy', 'tensorflow', 'keras', 'PIL', 'sklearn') if m in sys.modules])"
    )
    done = finished([sys.executable, "-c", program])
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("module", ["", *MODULES])
def test_examples_in_the_documentation(module):
    name = f"slr_keras.data.{module}".rstrip(".")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed


def test_names_of_the_package():
    assert data.Dataset is Dataset and data.Digits.name == "digits"
    assert {"load", "Batches", "DataSettings"} <= set(dir(data))
    with pytest.raises(AttributeError, match="Nothing"):
        data.Nothing  # noqa: B018


@pytest.mark.parametrize("name", registry.variants("data"))
def test_every_source_keeps_the_contract(name):
    source = registry.get("data", name)
    assert issubclass(source, data.Source) and source.__doc__
    assert source.matches("digits") is (name in ("digits", "tfds"))
    assert not any(source.matches(bad) for bad in ("", "no/such/place.npz", r"C:\data\x", "~/no"))
