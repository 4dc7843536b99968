"""``RobustClassifier`` as users of Keras meet it."""

import random

import keras
import numpy as np
import pytest

from slr_keras.attacks.fgsm import FGSM
from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.errors import DataError, ModelError, UserError
from slr_keras.methods.at import AT
from slr_keras.methods.slr import SLR
from slr_keras.methods.standard import Standard
from slr_keras.optimizers import SGD
from slr_keras.training.robust_classifier import RobustClassifier

PGD2 = PGD(eps=0.1, step_size=0.05, steps=2)
N, K = 96, 10


def linear_net(classes=K, seed=0, **last):
    random.seed(seed)
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(classes, **last)]
    return keras.Sequential(layers)


def conv_net(seed=0):
    random.seed(seed)
    inputs = x = keras.Input((8, 8, 1))
    x = keras.layers.ReLU()(BatchNorm()(keras.layers.Conv2D(4, 3, strides=2)(x)))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(K, dtype="float32")(x))


def classifier(method=None, net=None, optimizer=None, attack=PGD2, eager=False, **options):
    method = method or AT()
    samples = N if isinstance(method, SLR) else None
    model = RobustClassifier(net or linear_net(), samples, method, attack, **options)
    model.compile(optimizer=optimizer or SGD(0.1), run_eagerly=eager)
    return model


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def weights_equal(a, b):
    for one, other in zip(a.net.get_weights(), b.net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def copying(**options):
    """A classifier that hardly learns and whose label of a sample becomes its own prediction."""
    method = SLR(momentum=0.0, clean_weight=1.0, start_epoch=1, clean_pass="inference")
    return classifier(method, optimizer=SGD(1e-12, 0.0), attack=FGSM(eps=0.0), **options)


# -- indices -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
def test_fit_on_arrays_keeps_each_sample_with_its_row(digits, shuffle):
    x, y = digits
    model = copying()
    predicted = softmax(model.predict(x, verbose=0))
    model.fit(x, y, batch_size=20, epochs=2, shuffle=shuffle, verbose=0)
    np.testing.assert_allclose(model.label_bank.labels, predicted, atol=1e-6)
    assert np.ptp(predicted, axis=0).min() > 1e-3, "rows must differ for this test to mean anything"


def test_fit_on_a_dataset_takes_the_index_from_it(digits, rng):
    x, y = digits
    tf = pytest.importorskip("tensorflow")
    model, index = copying(), rng.permutation(N).astype("int32")
    data = (
        tf.data.Dataset.from_tensor_slices(({"image": x, "index": index}, y)).shuffle(N).batch(20)
    )
    model.fit(data, epochs=1, verbose=0)
    predicted = softmax(model.predict(x, verbose=0))
    np.testing.assert_allclose(np.array(model.label_bank.labels)[index], predicted, atol=1e-6)


def test_fit_on_tensors_and_dictionaries(digits):
    x, y = digits
    one, other = copying(), copying()
    one.fit(keras.ops.array(x), keras.ops.array(y), batch_size=20, verbose=0)
    other.fit({"image": x, "index": np.arange(N)}, y, batch_size=20, verbose=0)
    np.testing.assert_allclose(one.label_bank.labels, other.label_bank.labels, atol=1e-6)


def test_validation_split_leaves_the_rows_of_the_rest_alone(digits):
    x, y = digits
    model = copying()
    history = model.fit(x, y, batch_size=20, validation_split=0.25, verbose=0).history
    assert {"val_loss", "val_accuracy", "val_robust_accuracy"} <= set(history)
    predicted, labels = softmax(model.predict(x, verbose=0)), np.array(model.label_bank.labels)
    np.testing.assert_allclose(labels[:72], predicted[:72], atol=1e-6)
    np.testing.assert_array_equal(labels[72:], np.eye(K)[y[72:]])


# -- fit, evaluate, predict ------------------------------------------------------------------------


def test_training_works_at_all(digits):
    x, y = digits
    model = classifier(SLR(start_epoch=8), optimizer=SGD(0.1, 0.9, 5e-4))
    before = model.evaluate(x, y, verbose=0)
    losses = model.fit(x, y, epochs=12, verbose=0).history["loss"]
    after = model.evaluate(x, y, verbose=0)
    assert losses[6] < 0.7 * losses[0]
    assert after[1] > 0.8 > 0.3 > before[1]
    assert after[1] > after[2] > 0.4 > 0.3 > before[2]


@pytest.mark.parametrize("method", [AT(), SLR(start_epoch=2)], ids=lambda m: m.name)
def test_history(digits, method):
    x, y = digits
    history = classifier(method).fit(
        x, y, batch_size=32, epochs=3, verbose=0, validation_data=(x[:20], y[:20])
    )
    names = ["loss", "accuracy", "robust_accuracy"]
    assert set(history.history) == {*names, *(f"val_{name}" for name in names)}
    assert all(len(v) == 3 and np.isfinite(v).all() for v in history.history.values())


def test_standard_training_reports_no_robust_training_accuracy(digits):
    model = classifier(Standard())
    assert set(model.fit(*digits, verbose=0).history) == {"loss", "accuracy"}
    assert len(model.evaluate(*digits, verbose=0)) == 3


def test_evaluate_is_what_it_says_and_repeats_itself(digits):
    x, y = digits
    model = classifier(evaluation_attack=PGD(eps=0.05, steps=3, random=False))
    model.fit(x, y, epochs=2, verbose=0)
    found = model.evaluate(x, y, batch_size=40, verbose=0)
    assert found == model.evaluate(x, y, batch_size=40, verbose=0)
    named = model.evaluate(x, y, batch_size=40, verbose=0, return_dict=True)
    assert named == dict(zip(["loss", "accuracy", "robust_accuracy"], found, strict=True))
    clean = model.predict(x, verbose=0)
    robust = model.predict(model.evaluation_attack(model, x, y), verbose=0)
    wanted = [
        -np.log(softmax(robust))[np.arange(N), y].mean(),
        (clean.argmax(1) == y).mean(),
        (robust.argmax(1) == y).mean(),
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_evaluate_with_random_starts_repeats_itself(digits):
    model = classifier()
    first = model.evaluate(*digits, verbose=0)
    model.test_on_batch(*digits)
    assert model.evaluate(*digits, verbose=0) == first


def test_evaluate_changes_nothing(digits):
    model = classifier(SLR(start_epoch=1), net=conv_net())
    before = [np.array(w) for w in model.net.weights] + [np.array(model.label_bank.labels)]
    model.evaluate(*digits, verbose=0)
    after = [np.array(w) for w in model.net.weights] + [np.array(model.label_bank.labels)]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_predict_and_call_give_logits(digits):
    x, _ = digits
    model = classifier(net=conv_net())
    logits = keras.ops.convert_to_numpy(model.net(x, training=False))
    np.testing.assert_allclose(model.predict(x, batch_size=40, verbose=0), logits, atol=1e-5)
    numpy = keras.ops.convert_to_numpy
    np.testing.assert_array_equal(numpy(model(x)), logits)
    np.testing.assert_array_equal(numpy(model({"image": x, "index": np.arange(N)})), logits)


def test_equal_seeds_give_equal_runs_and_others_do_not(digits):
    models = [classifier(seed=seed, net=linear_net()) for seed in (1, 1, 2)]
    for model in models:
        keras.utils.set_random_seed(5)
        model.fit(*digits, batch_size=32, epochs=2, verbose=0)
    weights_equal(models[0], models[1])
    with pytest.raises(AssertionError):
        weights_equal(models[0], models[2])


def test_run_eagerly_does_the_same(digits):
    models = [classifier(SLR(start_epoch=2), eager=eager) for eager in (False, True)]
    for model in models:
        model.fit(*digits, batch_size=40, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(models[0].net.get_weights(), models[1].net.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    a, b = (model.label_bank.labels for model in models)
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_an_own_loop_does_the_same_as_fit(digits):
    x, y = digits
    by_fit, by_hand = (classifier(SLR(start_epoch=2)) for _ in range(2))
    by_fit.fit(x, y, batch_size=48, epochs=3, shuffle=False, verbose=0)
    by_hand.label_bank.fill(y)
    for epoch in (1, 2, 3):
        by_hand.begin_epoch(epoch)
        assert by_hand.refining == (epoch >= 2)
        for part in (np.arange(48), np.arange(48, 96)):
            by_hand.train_on_batch({"image": x[part], "index": part}, y[part])
    weights_equal(by_fit, by_hand)
    np.testing.assert_array_equal(by_fit.label_bank.labels, by_hand.label_bank.labels)


def test_a_second_fit_begins_at_its_own_epoch(digits):
    model = classifier(SLR(start_epoch=2), eager=True)
    model.fit(*digits, epochs=2, verbose=0)
    assert model.refining
    model.fit(*digits, epochs=1, verbose=0)
    assert not model.refining
    model.fit(*digits, epochs=4, initial_epoch=3, verbose=0)
    assert model.refining and model.epoch == 4


# -- labels and weights of samples ---------------------------------------------------------------


@pytest.mark.parametrize("form", ["column", "one-hot", "int64", "float32"])
def test_labels_in_every_usual_form(digits, form):
    x, y = digits
    forms = {"column": y[:, None], "one-hot": np.eye(K, dtype="float32")[y]}
    given = forms[form] if form in forms else y.astype(form)
    method, attack = SLR(start_epoch=1), FGSM(eps=0.1)
    plain, other = (classifier(method, attack=attack, eager=True) for _ in range(2))
    plain.fit(x, y, batch_size=48, shuffle=False, verbose=0)
    other.fit(x, given, batch_size=48, shuffle=False, verbose=0)
    weights_equal(plain, other)
    assert plain.evaluate(x, y, verbose=0) == other.evaluate(x, given, verbose=0)


@pytest.mark.parametrize("top_k", [0, 4])
def test_soft_labels_begin_the_bank_and_the_loss(digits, top_k):
    x, y = digits
    rng = np.random.default_rng(5)
    p = (0.7 * np.eye(K)[y] + 0.3 * rng.dirichlet(np.ones(K), N)).astype("float32")
    model = copying(label_bank_top_k=top_k)
    model.fit(x, p, epochs=0, verbose=0)
    bank = np.array(model.label_bank.labels)
    order = np.argsort(-p, -1)[:, : top_k or K]
    found, given = (np.take_along_axis(rows, order, -1) for rows in (bank, p))
    np.testing.assert_allclose(found, given, atol=1e-6)
    hard = classifier(net=linear_net(), attack=FGSM(eps=0.0), eager=True)
    logs = hard.evaluate(x, p, batch_size=N, verbose=0, return_dict=True)
    z = hard.predict(x, verbose=0)
    wanted = -(p * np.log(softmax(z))).sum(-1).mean()
    assert logs["loss"] == pytest.approx(wanted, rel=1e-5)
    steps = hard.train_on_batch(x, p, return_dict=True)["loss"]
    assert steps == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(DataError, match="argmax"):
        hard.attack(hard, x, p)


def moved(digits, **options):
    model = classifier(optimizer=SGD(0.1, 0.0), eager=True)
    before = np.concatenate([w.ravel() for w in model.net.get_weights()])
    model.fit(*digits, batch_size=N, shuffle=False, verbose=0, **options)
    return np.concatenate([w.ravel() for w in model.net.get_weights()]) - before


def test_sample_weight_scales_each_samples_gradient(digits):
    plain = moved(digits)
    np.testing.assert_allclose(moved(digits, sample_weight=np.full(N, 2.0)), 2 * plain, atol=1e-6)
    assert not moved(digits, sample_weight=np.zeros(N)).any()
    first, rest = np.zeros(N), np.ones(N)
    first[:10], rest[:10] = 1, 0
    parts = moved(digits, sample_weight=first), moved(digits, sample_weight=rest)
    assert all(part.any() for part in parts)


def test_sample_weight_weighs_the_loss_of_evaluate_and_no_accuracy(digits):
    x, y = digits
    model = classifier(evaluation_attack=PGD(eps=0.05, steps=3, random=False))
    weight = np.where(np.arange(N) % 3 == 0, 2.0, 0.25)
    plain = model.evaluate(x, y, batch_size=40, verbose=0)
    found = model.evaluate(x, y, batch_size=40, sample_weight=weight, verbose=0)
    robust = softmax(model.predict(model.evaluation_attack(model, x, y), verbose=0))
    wanted = (-np.log(robust)[np.arange(N), y] * weight).mean()
    np.testing.assert_allclose(found, [wanted, *plain[1:]], rtol=1e-5)


def test_a_second_fit_with_other_labels_starts_their_rows_anew(digits):
    x, y = digits
    model = copying()
    model.fit(x, y, epochs=1, verbose=0)
    learned = np.array(model.label_bank.labels)
    assert not np.isin(learned, [0, 1]).all()
    other = np.where(np.arange(N) < 10, (y + 1) % K, y)
    model.fit(x, other, epochs=0, verbose=0)
    rows = np.array(model.label_bank.labels)
    np.testing.assert_array_equal(rows[:10], np.eye(K)[other[:10]])
    np.testing.assert_array_equal(rows[10:], learned[10:])


def test_class_weight_is_the_sample_weight_of_its_class(digits):
    weight = {k: 0.0 for k in range(K)} | {3: 2.0}
    by_sample = moved(digits, sample_weight=np.where(digits[1] == 3, 2.0, 0.0))
    np.testing.assert_array_equal(moved(digits, class_weight=weight), by_sample)
    assert by_sample.any()


def test_regularisation_of_the_network_counts(digits):
    losses = []
    for strength in (0.0, 10.0):
        net = linear_net(kernel_regularizer=keras.regularizers.L2(strength))
        penalty = strength * float((net.get_weights()[0] ** 2).sum())
        logs = classifier(net=net, eager=True).train_on_batch(*digits, return_dict=True)
        losses.append(logs["loss"] - penalty)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


# -- optimisers, callbacks, precision ------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.SGD(0.1, momentum=0.9), "lion"])
def test_any_keras_optimizer(digits, optimizer):
    model = classifier(optimizer=optimizer)
    history = model.fit(*digits, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


def test_early_stopping_and_model_checkpoint(digits, tmp_path):
    model = classifier(SLR(start_epoch=2), optimizer=SGD(1e-12))  # never improves
    rated = {"monitor": "val_robust_accuracy", "mode": "max"}
    callbacks = [
        keras.callbacks.EarlyStopping(patience=1, **rated),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True, **rated),
    ]
    history = model.fit(
        *digits, batch_size=32, epochs=9, verbose=0, validation_data=digits, callbacks=callbacks
    )
    assert len(history.epoch) == 2
    best = keras.models.load_model(tmp_path / "best.keras")
    assert best.evaluate(*digits, batch_size=32, verbose=0)[2] == pytest.approx(
        history.history["val_robust_accuracy"][0]
    )


@pytest.mark.parametrize("form", ["one", "list", "container", "positional"])
def test_callbacks_in_every_form(digits, form):
    seen, model = [], classifier(SLR(start_epoch=2), eager=True)
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda e, logs: seen.append(model.epoch))
    x, y = digits
    if form == "positional":
        model.fit(x, y, 48, 2, 0, [watch])
    elif form == "container":
        chain = keras.callbacks.CallbackList([watch], model=model, add_history=True)
        model.fit(x, y, batch_size=48, epochs=2, verbose=0, callbacks=chain)
        seen.append(model.epoch)
        assert seen[-1] == 2 and model.refining
        return
    else:
        given = watch if form == "one" else [watch]
        model.fit(x, y, batch_size=48, epochs=2, verbose=0, callbacks=given)
    assert seen == [1, 2] and model.refining


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def test_mixed_bfloat16(digits, bfloat16):
    x, y = digits
    model = classifier(SLR(start_epoch=2), net=conv_net())
    assert model.net.layers[1].compute_dtype == model.inference.dtype == "bfloat16"
    history = model.fit(x, y, batch_size=32, epochs=3, verbose=0, validation_data=digits).history
    assert np.isfinite(list(history.values())).all()
    assert all(w.dtype == "float32" for w in model.net.weights)
    assert model.label_bank.labels.dtype == "float32"
    np.testing.assert_allclose(np.sum(model.label_bank.labels, axis=1), 1, atol=1e-5)


def test_a_bfloat16_attack_leaves_training_in_float32(digits):
    x, y = digits
    model = classifier(AT(), net=conv_net(), attack_dtype="bfloat16")
    numpy = keras.ops.convert_to_numpy
    logits, exact = numpy(model.inference.snapshot()(x)), numpy(model.net(x, training=False))
    assert 0 < np.abs(logits - exact).max() < 0.05 and logits.dtype == "float32"
    assert all(layer.compute_dtype == "float32" for layer in model.net.layers)
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()


# -- saving ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(digits):
    """A classifier in the middle of its refinement; tests leave it as it is."""
    model = classifier(
        SLR(momentum=0.8, start_epoch=1),
        net=conv_net(),
        evaluation_attack=PGD(eps=0.05, steps=3, norm="l2"),
        label_bank_dtype="float16",
        seed=4,
    )
    model.fit(*digits, batch_size=32, epochs=2, verbose=0)
    return model


def test_load_model_gives_the_same_classifier(trained, digits, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is RobustClassifier
    assert (loaded.method, loaded.attack) == (trained.method, trained.attack)
    assert loaded.evaluation_attack == trained.evaluation_attack
    assert (loaded.seed, loaded.label_bank_dtype, loaded.num_samples) == (4, "float16", N)
    for old, new in zip(trained.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(trained.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    assert loaded.evaluate(*digits, verbose=0) == trained.evaluate(*digits, verbose=0)


def test_a_loaded_classifier_goes_on_as_the_saved_one_would(digits, tmp_path):
    model = classifier(SLR(start_epoch=1))
    model.fit(*digits, batch_size=48, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, loaded):
        one.fit(*digits, batch_size=48, initial_epoch=1, epochs=2, shuffle=False, verbose=0)
    weights_equal(model, loaded)
    np.testing.assert_array_equal(model.label_bank.labels, loaded.label_bank.labels)


def test_weights_alone(trained, tmp_path):
    trained.save_weights(tmp_path / "model.weights.h5")
    other = classifier(
        SLR(momentum=0.8, start_epoch=1), conv_net(seed=9), label_bank_dtype="float16"
    )
    other.load_weights(tmp_path / "model.weights.h5")
    weights_equal(trained, other)
    np.testing.assert_array_equal(trained.label_bank.labels, other.label_bank.labels)


def test_an_uncompiled_classifier_can_be_saved(tmp_path):
    model = RobustClassifier(linear_net(), method=AT())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    weights_equal(model, loaded)
    assert not loaded.compiled


def test_label_bank_belongs_to_the_classifier_and_not_to_the_network(trained):
    bank = trained.label_bank.labels
    assert any(w is bank for w in trained.non_trainable_weights)
    assert not any(w is bank for w in trained.net.weights)
    assert len(trained.trainable_weights) == len(trained.net.trainable_weights)
    assert classifier(AT()).label_bank is None


# -- errors ----------------------------------------------------------------------------------------


def sequential(*layers):
    return keras.Sequential([keras.Input((8, 8, 1)), *layers])


def two_outputs():
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, [keras.layers.Dense(K)(x), keras.layers.Dense(K)(x)])


def two_inputs():
    inputs = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    x = keras.layers.Flatten()(keras.layers.Add()(inputs))
    return keras.Model(inputs, keras.layers.Dense(K)(x))


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: linear_net(activation="softmax"), "expected logits, received probabilities"),
        (lambda: linear_net(classes=1), r"K >= 2 classes, received \(None, 1\)"),
        (lambda: sequential(keras.layers.Conv2D(10, 3)), r"expected logits \(B, K\)"),
        (two_outputs, r"expected logits \(B, K\) of K >= 2 classes, received \[\(None, 10\)"),
        (two_inputs, "expected a built network with one image input"),
        (lambda: keras.Sequential([keras.layers.Dense(K)]), "expected a built network"),
        (
            lambda: keras.Sequential([keras.Input((64,)), keras.layers.Dense(K)]),
            r"one image input \(B, H, W, C\), received \(None, 64\)",
        ),
        (lambda: keras.layers.Dense(K), "expected a keras.Model, received Dense"),
        (lambda: None, "expected a keras.Model, received NoneType"),
    ],
    ids=range(9),
)
def test_networks_that_are_no_classifier(make, part):
    with pytest.raises(ModelError, match=part):
        RobustClassifier(make(), method=AT())


def with_pixel(x, value):
    x = x.copy()
    x[3, 4, 5, 0] = value
    return x


BAD_IMAGES = [
    (lambda x: (x * 255).astype("uint8"), r"expected float images in \[0, 1\], received uint8"),
    (lambda x: x * 255, r"expected pixels in \[0, 1\], received \[0, 255\]"),
    (lambda x: x - 0.5, r"expected pixels in \[0, 1\], received \[-0.5, 0.5\]"),
    (lambda x: with_pixel(x, np.nan), "received NaN"),
    (lambda x: with_pixel(x, np.inf), "received NaN or infinite"),
    (lambda x: x[..., 0], r"expected images \(N, 8, 8, 1\), received \(96, 8, 8\)"),
    (lambda x: x[:, :7], r"expected images \(N, 8, 8, 1\), received \(96, 7, 8, 1\)"),
    (lambda x: np.repeat(x, 3, -1), r"expected images \(N, 8, 8, 1\), received \(96, 8, 8, 3\)"),
]
BAD_LABELS = [
    (lambda y: y[:-1], "expected a label for each image, received 96 and 95"),
    (lambda y: y + 1, r"expected labels 0 to 9, received \[1, 10\]"),
    (lambda y: y - 1, r"expected labels 0 to 9, received \[-1, 8\]"),
    (lambda y: y + 0.5, r"expected whole class numbers, received 0.5"),
    (lambda y: y.astype(str), "expected class numbers or one-hot rows, received <U"),
    (lambda y: np.eye(7)[y % 7], r"expected one-hot rows of 10 classes, received shape \(96, 7\)"),
    (lambda y: np.zeros((96, 2, 2)), r"expected labels \(N,\), .* received shape \(96, 2, 2\)"),
    (lambda y: np.where(y > 3, np.nan, y), "expected whole class numbers, received nan"),
    (lambda y: np.full((96, 10), 0.2), r"rows >= 0 that sum to 1, received \(0.2, .*\) among 96"),
    (lambda y: np.full((96, 10), np.nan), "rows >= 0 that sum to 1, received .nan"),
    (lambda y: np.eye(10)[y] * 3 - 0.2, "rows >= 0 that sum to 1, received"),
]


@pytest.mark.parametrize("job", ["fit", "validate", "evaluate"])
@pytest.mark.parametrize(
    ("change_x", "change_y", "part"),
    [(change, lambda y: y, part) for change, part in BAD_IMAGES]
    + [(lambda x: x, change, part) for change, part in BAD_LABELS],
    ids=range(len(BAD_IMAGES) + len(BAD_LABELS)),
)
def test_bad_arrays(digits, job, change_x, change_y, part):
    x, y = digits
    bad, model = (change_x(x), change_y(y)), classifier()
    jobs = {
        "fit": lambda: model.fit(*bad, verbose=0),
        "validate": lambda: model.fit(x, y, verbose=0, validation_data=bad),
        "evaluate": lambda: model.evaluate(*bad, verbose=0),
    }
    with pytest.raises(DataError, match=part):
        jobs[job]()


def test_no_images_at_all():
    with pytest.raises(DataError, match="expected at least one image"):
        classifier().fit(np.zeros((0, 8, 8, 1), "float32"), np.zeros(0, "int32"), verbose=0)


def test_wrong_number_of_samples(digits):
    x, y = digits
    with pytest.raises(
        DataError, match=r"expected 96 training images \(num_samples\), received 50"
    ):
        classifier(SLR()).fit(x[:50], y[:50], verbose=0)


def test_refinement_needs_the_number_of_samples():
    with pytest.raises(UserError, match="Pass num_samples=len"):
        RobustClassifier(linear_net(), method=SLR())


def test_refinement_needs_the_indices(digits):
    x, y = digits
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    with pytest.raises(DataError, match="needs the index of each sample"):
        classifier(SLR()).fit(data, verbose=0)
    with pytest.raises(DataError, match="needs the index of each sample"):
        classifier(SLR()).train_on_batch(x, y)
    classifier(AT()).fit(data, verbose=0)  # which needs none


@pytest.mark.parametrize("role", ["attack", "evaluation_attack"])
def test_a_targeted_attack_is_refused(role):
    with pytest.raises(UserError, match="untargeted"):
        RobustClassifier(linear_net(), method=AT(), **{role: PGD(targeted=True)})


def test_a_loss_is_refused():
    with pytest.raises(UserError, match="the method brings its loss"):
        RobustClassifier(linear_net(), method=AT()).compile("sgd", loss="mse")
