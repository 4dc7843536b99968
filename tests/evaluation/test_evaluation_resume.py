"""Evaluations: figures by hand, and the same figures however often they are interrupted."""

import functools
import itertools

import numpy as np
import pytest

from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.pgd import PGD
from slr_keras.attacks.square import Square
from slr_keras.evaluation import searches, suite, tally
from slr_keras.evaluation.measurement import Measurement
from slr_keras.evaluation.specs import Step
from slr_keras.evaluation.tally import Store

EPS = 0.15
STEPS = [
    Step("clean"),
    Step("pgd-3", PGD(eps=EPS, step_size=EPS / 4, steps=3)),
    Step("both: apgd-t", APGD(eps=EPS, steps=12, loss="dlr", targets=2), "both"),
    Step("both: square", Square(eps=EPS, queries=150), "both"),
]
OPTIONS = {"batch_size": 4, "seed": 3, "keep_images": True}


class Interrupted(BaseException):
    """What Ctrl-C raises, told apart from a real one."""


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """What is compiled for an attack serves all measurements: it keeps nothing of any of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches, "Packed", functools.cache(searches.Packed))
        yield


@pytest.fixture
def measure(net, forty, tmp_path, monkeypatch):
    """``measure(on_progress, digest)``: a measurement that is kept at every moment."""
    monkeypatch.setattr(tally, "PATIENCE", 0.0)
    monkeypatch.setattr(tally, "SHARE", 0)
    warnings = []

    def make(on_progress=lambda _: None, digest="this"):
        store = Store(tmp_path / "evaluation.json", digest, warnings.append)
        return Measurement(net, *forty, STEPS, store=store, on_progress=on_progress, **OPTIONS)

    make.warnings = warnings
    return make


@pytest.fixture(scope="module")
def whole(net, forty):
    """Uninterrupted; read-only."""
    measured = Measurement(net, *forty, STEPS, **OPTIONS)
    measured.run()
    return measured


def figures(measured):
    rows = suite.rows_of(measured)
    return [(row.attack, row.accuracy, row.per_class, row.samples) for row in rows]


def assert_same(one, other):
    assert figures(one) == figures(other)
    for name in ("clean", "fooled", "outside", "unsound"):
        np.testing.assert_array_equal(getattr(one.tally, name), getattr(other.tally, name))
    np.testing.assert_array_equal(one.tally.adversarial, other.tally.adversarial)


def test_interrupted_again_and_again_it_ends_with_the_same_table(measure, whole):
    def after(count):
        calls = itertools.count(1)

        def on_progress(_):
            if next(calls) > count:
                raise Interrupted

        return on_progress

    share, stops = [], 0
    for count in itertools.chain([1, 2, 5, 3], itertools.repeat(9)):
        measured = measure(after(count))
        try:
            measured.run()
            break
        except Interrupted:
            stops += 1
            share.append((measured.tally.fooled >= 0).sum())
        assert stops < 60, "it never gets ahead"
    assert stops > 5 and share == sorted(share) and share[0] < share[-1]
    assert_same(measured, whole)


def test_killed_without_a_last_word_it_goes_on_from_what_is_on_disk(measure, whole, monkeypatch):
    """What a kill leaves: the file of any moment, not that of the end."""
    files = []
    real = Store.save

    def save(self, *arguments, **options):
        real(self, *arguments, **options)
        files.append(self.path.read_bytes())

    monkeypatch.setattr(Store, "save", save)
    measure().run()
    monkeypatch.setattr(Store, "save", real)
    moments = [len(files) // 4, len(files) // 2, len(files) - 2]
    for moment in moments:
        measured = measure()
        measured.store.path.write_bytes(files[moment])
        measured = measure()
        assert measured.resumed
        measured.run()
        assert_same(measured, whole)


@pytest.mark.parametrize("spoilt", [b"", b"no archive", None])
def test_a_state_that_does_not_fit_is_named_and_not_used(measure, whole, spoilt):
    measured = measure()
    measured.store.save(whole.tally, now=True)
    if spoilt is not None:
        measured.store.path.write_bytes(spoilt)
    again = measure(digest="this" if spoilt is not None else "other weights")
    assert not again.resumed
    assert "begins anew" in measure.warnings[-1]


def test_a_disk_that_is_full_costs_the_state_only(measure, whole, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tally, "write_atomically", full)
    measured = measure()
    measured.run()
    assert_same(measured, whole)
    (warning,) = measure.warnings
    assert "No space left on device" in warning and "goes on" in warning


def test_rows_by_hand(whole):
    fooled, clean = whole.tally.fooled, whole.tally.clean > 0
    rows = {row.attack: row for row in suite.rows_of(whole)}
    names = ["clean", "pgd-3", "both: apgd-t", "both: square", "both", "worst case"]
    assert list(rows) == names
    assert rows["clean"].accuracy == clean.mean()
    assert rows["pgd-3"].accuracy == (clean & (fooled[1] != 1)).mean()
    assert rows["both: apgd-t"].accuracy == (clean & (fooled[2] != 1)).mean()
    both = clean & (fooled[2] != 1) & (fooled[3] != 1)
    assert rows["both"].accuracy == rows["both: square"].accuracy == both.mean()
    assert rows["worst case"].accuracy == (both & (fooled[1] != 1)).mean()
    assert 0 < rows["worst case"].accuracy < rows["clean"].accuracy, "the test shows nothing"
    y = whole.y
    for k, share in enumerate(rows["both"].per_class):
        assert share == both[y == k].mean()
    assert rows["pgd-3"].settings["name"] == "pgd" and rows["both"].settings["eps"] == 0.15


def test_attacks_of_a_suite_get_what_is_left(whole):
    fooled, clean = whole.tally.fooled, whole.tally.clean > 0
    np.testing.assert_array_equal(fooled[2] >= 0, clean)
    np.testing.assert_array_equal(fooled[3] >= 0, clean & (fooled[2] != 1))


def test_adversarial_images_fool_the_model_they_were_made_for(whole, net, forty):
    x, y = forty
    kept = suite.adversarials(whole)
    fooled = kept["fooled"]
    assert 0 < fooled.sum() < len(x)
    predicted = net.predict(kept["x_adv"], verbose=0).argmax(-1)
    assert (predicted[fooled] != y[fooled]).all()
    np.testing.assert_array_equal(kept["x_adv"][~fooled], x[~fooled])
    assert abs(kept["x_adv"] - x).max() <= EPS + 1e-6
    assert set(kept["attack"][~fooled]) == {-1} and set(kept["attack"][fooled]) <= {1, 2, 3}
    np.testing.assert_array_equal(kept["y"], y)


def test_images_that_were_not_kept_are_not_given(net, forty):
    with pytest.raises(ValueError, match="keep_images"):
        suite.adversarials(Measurement(net, *forty, STEPS))
