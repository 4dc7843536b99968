"""Our attacks against implementations by others, few images; in full: benchmarks/referees.

Ours may miss one image of these few: where the attacks draw numbers, that is chance.
"""

import json

import numpy as np
import pytest

from benchmarks.referees import _common

QUERIES = 300  # few enough to be quick, enough for the draws to matter less
MISSING = "{} is not installed: pip install -r benchmarks/requirements.txt"


def installed(package):
    """Skip with a sentence where the referee is missing."""
    pytest.importorskip(package, reason=MISSING.format(package))


def agree(rows):
    """At least one image is fooled by the referee, and ours misses one at most."""
    for row in rows:
        assert 0 < row.theirs < row.images, f"{row.attack}: too weak or too strong to compare"
        assert row.ours >= row.theirs - 1, f"{row.attack}: {row.ours} of {row.images}, {row}"
        if row.their_distance is not None:
            assert row.our_distance <= 1.02 * row.their_distance, f"{row.attack}: {row}"


AUTOATTACKS = {"torchattacks": ["linf", "l2"], "pyautoattack": ["linf", "l2", "l1"]}


@pytest.mark.parametrize(
    ("package", "norm"), [(name, norm) for name, norms in AUTOATTACKS.items() for norm in norms]
)
def test_autoattack_by_others(package, norm, digits_case):
    installed(package)
    from benchmarks.referees import official_autoattack, torchattacks_autoattack

    referee = {"torchattacks": torchattacks_autoattack, "pyautoattack": official_autoattack}
    _common.use_torch_threads(1)
    case = digits_case(norm)
    peers = referee[package].peers(case, steps=15, queries=QUERIES)
    agree(_common.autoattack_rows(case, peers, steps=15, queries=QUERIES))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_foolbox(norm, digits_case):
    installed("foolbox")
    from benchmarks.referees import foolbox_attacks

    case = digits_case(norm)
    agree(foolbox_attacks.rows(case, steps=20, cw_steps=30))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_art(norm, digits_case):
    installed("art")
    from benchmarks.referees import art_attacks

    case = digits_case(norm)
    agree(art_attacks.rows(case, steps=15, queries=QUERIES))


# -- the judge itself --------------------------------------------------------------------------


def test_the_judge_counts_what_lies_in_the_ball_and_fools(rng):
    """A network that answers whether the first pixel is above one half."""

    class Net:
        def __call__(self, x, training=False):
            first = np.asarray(x)[:, 0, 0, 0]
            return np.stack([0 * first, first - 0.5], 1)

    x = np.full((4, 2, 2, 1), 0.45, "float32")
    case = _common.Case(Net(), x, np.zeros(4, "int32"), "linf", 0.1)
    tries = x.copy()
    tries[1, 0, 0, 0], tries[2, 0, 0, 0], tries[3] = 0.54, 0.6, 0.54
    tries[3, 1, 1, 0] = 1.2
    np.testing.assert_array_equal(case.fools(tries), [False, True, True, True])
    np.testing.assert_array_equal(case.fooled(tries), [False, True, False, False])


def test_the_verdict_is_within_three_tenths_of_a_point(tmp_path, capsys):
    rows = [_common.Row("a", 1000, 400, ours, 1.0, 1.0) for ours in (396, 397, 400)]
    assert [row.agrees for row in rows] == [False, True, True]
    assert _common.report(rows[1:], str(tmp_path / "out.json")) == 0
    assert _common.report(rows) == 1
    assert "NO" in capsys.readouterr().out
    written = json.loads((tmp_path / "out.json").read_text())
    assert [entry["points"] for entry in written] == pytest.approx([-0.3, 0.0])
