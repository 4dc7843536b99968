"""Label schemes by hand, and in combination; what each keeps to: test_contracts_parts.py."""

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
