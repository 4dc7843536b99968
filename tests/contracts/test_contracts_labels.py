"""What every registered label scheme keeps to; a new file in labels/ is tested here."""

import keras
import numpy as np
import pytest

from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.pgd import PGD
from slr_keras.errors import SettingError
from slr_keras.labels.hard import Hard
from slr_keras.labels.slr import SLR
from slr_keras.labels.smoothing import Smoothing
from slr_keras.labels.temporal import TemporalEnsembling
from slr_keras.methods import slr
from slr_keras.methods.at import AT
from slr_keras.methods.standard import Standard
from slr_keras.methods.trades import TRADES
from slr_keras.optimizers import SGD
from slr_keras.settings import registry
from tests.contracts.test_contracts_methods import small_classifier

LABELS = registry.variants("labels")
every_scheme = pytest.mark.parametrize("cls", LABELS.values(), ids=LABELS)


def distributions(rng, rows, classes):
    return rng.dirichlet(np.ones(classes), rows).astype("float32")


@every_scheme
def test_soft_labels_stay_distributions(cls, rng):
    row, p, q = (keras.ops.convert_to_tensor(distributions(rng, 20, 5)) for _ in range(3))
    given = np.array(cls().given(np.eye(5, dtype="float32")[rng.integers(0, 5, 20)]))
    epoch = keras.ops.convert_to_tensor(95.0)
    new = np.array(cls().refine(row, p, q, epoch))
    soft = keras.ops.convert_to_tensor(np.log(new) if cls().teacher else new)
    mixed = cls().target(soft, keras.ops.convert_to_tensor(given), epoch)
    for t in (given, new, np.array(mixed)):
        assert (t >= 0).all()
        np.testing.assert_allclose(t.sum(1), 1, atol=1e-6)


@every_scheme
def test_what_refines_says_when(cls):
    epochs = [cls().refining(epoch) for epoch in range(1, 201)]
    assert any(epochs) == (cls.refines or cls().teacher > 0)
    assert epochs == sorted(epochs)  # once begun it goes on


@pytest.mark.parametrize("name", [n for n, cls in LABELS.items() if hasattr(cls(), "start_epoch")])
def test_before_its_start_a_scheme_is_the_plain_method(name, digits):
    x, y = digits[0][:32], digits[1][:32]
    weights = []
    for labels in (LABELS[name](start_epoch=3), Hard()):
        model = small_classifier(TRADES(), 32, labels=labels, attack=PGD(eps=0.1, steps=2))
        model.compile(optimizer=SGD(0.05), run_eagerly=True)
        model.begin_epoch(2)
        model.train_on_batch({"image": x, "index": np.arange(32, dtype="int32")}, y)
        weights.append(model.net.get_weights())
    for mine, plain in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, plain)


def test_smoothing_by_hand():
    given = np.array(Smoothing(amount=0.3).given(np.eye(3, dtype="float32")[[0, 2]]))
    np.testing.assert_allclose(given, [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], atol=1e-7)
    np.testing.assert_array_equal(Hard().given(np.eye(3)), np.eye(3))


def test_the_method_slr_has_the_settings_of_the_labels():
    mine = {name: getattr(slr.SLR(), name) for name in vars(SLR())}
    assert mine == vars(SLR())


def test_combinations_without_meaning():
    with pytest.raises(SettingError, match="method slr brings its own labels, received smoothing"):
        slr.SLR().scheme(Smoothing())
    with pytest.raises(SettingError, match="labels slr learn from adversarial images"):
        Standard().scheme(SLR())
    with pytest.raises(SettingError, match="apgd raises a loss of its own, method trades"):
        TRADES().check_attack(APGD(), Hard())
    with pytest.raises(SettingError, match="apgd raises a loss of its own, labels temporal have"):
        AT().check_attack(APGD(), TemporalEnsembling())
    with pytest.raises(SettingError, match="full_epoch.*expected start_epoch 90 or later"):
        TemporalEnsembling(full_epoch=80)
    TRADES().check_attack(PGD(), Hard())
    AT().check_attack(APGD(), Hard())
    assert AT().scheme(SLR()) == SLR() and Standard().scheme(Smoothing()) == Smoothing()
