"""Every argument of Keras' methods works as Keras documents it, or is refused in one line."""

import inspect

import keras
import numpy as np
import pytest

from slr_keras import backend
from slr_keras.attacks.fgsm import FGSM
from slr_keras.errors import DataError, UserError
from slr_keras.methods.at import AT
from slr_keras.methods.slr import SLR
from slr_keras.methods.standard import Standard
from slr_keras.training.robust_classifier import RobustClassifier
from slr_keras.training.user_metrics import UserMetrics

N, K = 48, 10


@pytest.fixture(scope="module")
def digits(digits):
    return digits[0][:N], digits[1][:N]


def classifier(method=None, **options):
    keras.utils.set_random_seed(2)
    image = keras.Input((8, 8, 1))
    net = keras.Model(image, keras.layers.Dense(K)(keras.layers.Flatten()(image)))
    attack = FGSM(eps=0.1)
    method = method or SLR(start_epoch=1)
    model = RobustClassifier(net, num_samples=N, method=method, attack=attack)
    model.compile(keras.optimizers.SGD(0.1), **options)
    return model


# -- signatures --------------------------------------------------------------------------------

# argument: a value that must change or show something; tests below say what
TRIED = {
    "compile": {
        "optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly",
        "steps_per_execution", "jit_compile", "auto_scale_loss",
    },
    "fit": {
        "x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split",
        "validation_data", "shuffle", "class_weight", "sample_weight", "initial_epoch",
        "steps_per_epoch", "validation_steps", "validation_batch_size", "validation_freq",
    },
    "evaluate": {
        "x", "y", "batch_size", "verbose", "sample_weight", "steps", "callbacks", "return_dict",
        "kwargs",
    },
    "export": {"filepath", "format", "verbose", "input_signature", "kwargs"},
}  # fmt: skip


@pytest.mark.parametrize("name", TRIED)
def test_no_argument_of_keras_is_unknown_here(name):
    """A new argument of a newer Keras is to be looked at."""
    known = set(inspect.signature(getattr(keras.Model, name)).parameters) - {"self"}
    assert known == TRIED[name]
    ours = inspect.signature(getattr(RobustClassifier, name)).parameters
    takes_more = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in ours.values())
    assert takes_more or known <= set(ours)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "mse"}, "the method brings its loss"),
        ({"loss_weights": [1.0]}, "the method brings its loss"),
        ({"metrics": {"logits": "accuracy"}}, "expected a list"),
        ({"metrics": ["no_such_metric"]}, "no_such_metric"),
        ({"metrics": [3]}, "compile.metrics"),
        ({"metrics": [keras.metrics.Mean("loss")]}, "'loss' is taken"),
        ({"weighted_metrics": ["accuracy"]}, "count every image once"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(options, words):
    with pytest.raises(UserError, match=words) as error:
        classifier(**options)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(backend.name() == "torch", reason="Keras refuses it there")
def test_training_in_several_steps_at_once_is_the_same(digits):
    one, other = classifier(), classifier(steps_per_execution=3)
    for model in (one, other):
        model.fit(*digits, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_validation_comes_when_and_of_what_is_asked(digits):
    model = classifier()
    options = {"validation_freq": 2, "validation_steps": 1, "validation_batch_size": 16}
    found = model.fit(*digits, epochs=4, verbose=0, validation_data=digits, **options).history
    assert len(found["val_loss"]) == 2
    first = model.evaluate(digits[0][:16], digits[1][:16], verbose=0)
    assert found["val_robust_accuracy"][-1] == pytest.approx(first[2])


def test_evaluate_takes_steps_callbacks_and_gives_a_dictionary(digits):
    model, seen = classifier(), []
    watch = keras.callbacks.LambdaCallback(on_test_batch_end=lambda *a, **b: seen.append(a))
    found = model.evaluate(
        *digits, batch_size=8, steps=2, callbacks=[watch], return_dict=True, verbose=0
    )
    assert len(seen) == 2
    assert found == model.evaluate(
        digits[0][:16], digits[1][:16], batch_size=8, return_dict=True, verbose=0
    )


# -- metrics -----------------------------------------------------------------------------------


def top3(logits, y):
    return np.mean([k in row for k, row in zip(y, np.argsort(-logits)[:, -0:3], strict=True)])


def cross_entropy(logits, y):
    z = logits - logits.max(-1, keepdims=True)
    return np.log(np.exp(z).sum(-1)) - z[np.arange(len(y)), y]


@pytest.fixture(scope="module")
def measured(digits):
    """A model with metrics of every kind, and both logits that they are of."""
    metrics = [
        "accuracy",
        keras.metrics.SparseTopKCategoricalAccuracy(3, name="top3"),
        lambda_metric,
    ]
    loss = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="ce")
    model = classifier(AT(), metrics=metrics, weighted_metrics=[loss])
    attacked = model.evaluation_attack(model, *digits)
    return model, [model.predict(x, verbose=0) for x in (digits[0], attacked)]


def lambda_metric(y_true, y_pred):
    """The largest logit."""
    return keras.ops.max(y_pred, axis=-1)


def test_metrics_see_clean_and_robust_logits(measured, digits):
    model, logits = measured
    y, weight = digits[1], np.linspace(0, 2, N)
    found = model.evaluate(
        *digits, batch_size=20, sample_weight=weight, return_dict=True, verbose=0
    )
    for name, z in zip(("", "robust_"), logits, strict=True):
        assert found[f"{name}top3"] == pytest.approx(top3(z, y), abs=1e-6)
        assert found[f"{name}lambda_metric"] == pytest.approx(z.max(-1).mean(), rel=1e-4)
        weighted = np.average(cross_entropy(z, y), weights=weight)
        assert found[f"{name}ce"] == pytest.approx(weighted, rel=1e-4)


def test_history_has_them_in_training_and_validation(measured, digits):
    model, _ = measured
    history = model.fit(*digits, batch_size=24, verbose=0, validation_split=0.25).history
    names = {f"{split}{kind}{name}" for split in ("", "val_") for kind in ("", "robust_")
             for name in ("accuracy", "top3", "lambda_metric", "ce")}  # fmt: skip
    assert names <= set(history)


def test_one_hot_labels_reach_metrics_that_want_them(digits):
    x, y = digits
    model = classifier(metrics=[keras.metrics.CategoricalAccuracy(name="categorical")])
    rows = np.eye(K, dtype="float32")[y]
    found = model.evaluate(x, rows, verbose=0, return_dict=True)
    assert found["categorical"] == pytest.approx(found["accuracy"])
    assert found["robust_categorical"] == pytest.approx(found["robust_accuracy"])
    history = model.fit(x, rows, verbose=0, epochs=2).history
    assert history["categorical"] == pytest.approx(history["accuracy"])


def test_without_an_attack_there_is_nothing_robust_in_training(digits):
    model = classifier(Standard(), metrics=["sparse_top_k_categorical_accuracy"])
    history = model.fit(*digits, verbose=0).history
    assert "sparse_top_k_categorical_accuracy" in history
    assert not any("robust" in name for name in history)


def test_metrics_are_saved_with_the_model(measured, digits, tmp_path):
    model = classifier(metrics=[keras.metrics.SparseTopKCategoricalAccuracy(3, name="top3")])
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    names = [metric.name for metric in again.user_metrics]
    assert names == ["top3", "robust_top3"]
    expected = model.evaluate(*digits, verbose=0, return_dict=True)
    assert again.evaluate(*digits, verbose=0, return_dict=True) == pytest.approx(expected)


def test_no_metrics_are_none():
    assert not [*UserMetrics()] and not [*UserMetrics(["acc", ["accuracy"]])]


# -- sample indices ----------------------------------------------------------------------------


class Set(keras.utils.PyDataset):
    """Batches of 16 with wrong indices in the second."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    @property
    def num_batches(self):
        return len(self.batches)

    def __getitem__(self, number):
        return self.batches[number]


def doors(x, y, index):
    parts = [slice(i, i + 16) for i in range(0, N, 16)]
    batches = [({"image": x[p], "index": index[p]}, y[p]) for p in parts]
    yield "dictionary", {"image": x, "index": index}, y
    yield "generator", iter(batches), None
    yield "PyDataset", Set(batches), None
    try:
        import tensorflow as tf
    except ImportError:
        return
    yield (
        "tf.data",
        tf.data.Dataset.from_tensor_slices(({"image": x, "index": index}, y)).batch(16),
        None,
    )  # noqa: E501


@pytest.mark.parametrize("door", ["dictionary", "generator", "PyDataset", "tf.data"])
@pytest.mark.parametrize("wrong", [N, 149, -1])
def test_an_index_beyond_the_bank_stops_before_its_batch(digits, door, wrong):
    index = np.arange(N, dtype="int32")
    index[20] = wrong
    found = {name: rest for name, *rest in doors(*digits, index)}
    if door not in found:
        pytest.skip("needs TensorFlow")
    x, y = found[door]
    model = classifier()
    before = model.net.get_weights()
    with pytest.raises(DataError, match=f"expected 0 to {N - 1} .*received {wrong}: number") as e:
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    assert "\n" not in str(e.value)
    rows = np.array(model.label_bank.labels)
    assert not rows[16:].any(), "nothing of the second batch or later was written"
    if door == "dictionary":
        for a, b in zip(model.net.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("door", ["dictionary", "generator", "PyDataset", "tf.data"])
def test_every_door_trains_the_same_with_right_indices(digits, door):
    index = np.arange(N, dtype="int32")
    found = {name: rest for name, *rest in doors(*digits, index)}
    if door not in found:
        pytest.skip("needs TensorFlow")
    plain, other = classifier(), classifier()
    plain.fit(*digits, batch_size=16, shuffle=False, verbose=0)
    other.fit(*found[door], batch_size=16 if door == "dictionary" else None, shuffle=False,
              verbose=0)  # fmt: skip
    for a, b in zip(plain.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_single_batch_is_looked_at(digits):
    model = classifier()
    with pytest.raises(DataError, match="sample index out of range"):
        model.train_on_batch({"image": digits[0], "index": np.arange(N) + 1}, digits[1])


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.h5", "x.hdf5"])
def test_a_format_that_cannot_be_read_back_is_not_written(tmp_path, name):
    with pytest.raises(UserError, match="ends in .keras"):
        classifier().save(tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_weights_in_hdf5_bring_optimiser_and_bank_back(digits, tmp_path):
    momentum = keras.optimizers.SGD(0.1, momentum=0.9)
    model, other = classifier(), classifier()
    for one in (model, other):
        one.compile(keras.optimizers.SGD.from_config(momentum.get_config()))
    model.fit(*digits, epochs=2, verbose=0, shuffle=False)
    model.save_weights(tmp_path / "w.weights.h5")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "w.weights.h5")
    for one in (model, other):  # momentum, soft labels and the attack's seeds decide what comes
        one.fit(*digits, epochs=4, initial_epoch=2, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
