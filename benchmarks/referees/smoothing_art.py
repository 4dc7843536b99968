"""Randomised smoothing by the Adversarial Robustness Toolbox, on the same Keras network.

    python -m benchmarks.referees.smoothing_art --images 100 --draws 1000

Both certify the same digits with as many draws; the noise is each side's own. So radii agree image
by image but for chance: their mean difference lies within three standard errors, no class differs,
and the two distributions pass a test of Kolmogorov and Smirnov.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import Any

import numpy as np

from benchmarks import _subjects, _timing
from benchmarks.referees import _common

SIGMA, FAILURE, SELECT = 0.25, 0.001, 100
EPOCHS = 15
ERRORS = 3  # standard errors that still are chance
LEAST = 0.001  # p of a difference that is none


@dataclasses.dataclass(frozen=True)
class Side:
    """What one side says: labels (-1: abstained), radii, seconds."""

    label: np.ndarray
    radius: np.ndarray
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Certify by both; 0 if they agree."""
    parser = _common.parser(__doc__.splitlines()[0], norms=("l2",))
    parser.add_argument("--draws", type=int, default=1000, help="of each image (default 1000)")
    parser.set_defaults(images=100, norm="l2")
    flags = parser.parse_args(arguments)
    _common.needs("art")
    _timing.use_threads(flags.threads)
    net = _loaded(flags.model) if flags.model else trained()
    x, y = (part[-flags.images :] for part in _common.digits())
    ours, theirs = _ours(net, x, flags.draws), _theirs(net, x, flags.draws)
    return _report(ours, theirs, y)


def trained(epochs: int = EPOCHS) -> Any:
    """A small network trained under noise on the first 1,000 digits."""
    import keras

    keras.utils.set_random_seed(0)
    import slr_keras as slr

    net = slr.models.small_cnn(input_shape=(8, 8, 1), num_classes=_subjects.CLASSES)
    x, y = (part[: _common.TRAINING_IMAGES] for part in _common.digits())
    noise = slr.attacks.Gaussian(sigma=SIGMA)
    model = slr.RobustClassifier(
        net, num_samples=len(x), method=slr.methods.AT(), attack=noise, seed=0
    )
    model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.05, momentum=0.9, l2=5e-4))
    model.fit(x, y, batch_size=50, epochs=epochs, verbose=0)
    return net


def _loaded(path: str) -> Any:
    from pathlib import Path

    from slr_keras import saving

    return saving.load_model(Path(path))


def _ours(net: Any, x: np.ndarray, draws: int) -> Side:
    from slr_keras.evaluation.smoothing import Certifier, Smoothing

    certifier = Certifier(net, Smoothing(SIGMA, SELECT, draws, FAILURE))
    certifier.certify(x[:1])  # compiles
    begun = time.perf_counter()
    found = certifier.certify(x)
    return Side(found.label, found.radius, time.perf_counter() - begun)


def _theirs(net: Any, x: np.ndarray, draws: int) -> Side:
    from art.estimators.certification.randomized_smoothing import NumpyRandomizedSmoothing

    from benchmarks.referees.art_attacks import classifier

    np.random.seed(0)  # theirs draws with it
    smoothed = NumpyRandomizedSmoothing(
        classifier=classifier(net, x), sample_size=SELECT, scale=SIGMA, alpha=FAILURE
    )
    smoothed.certify(x[:1], n=draws, batch_size=250)
    begun = time.perf_counter()
    label, radius = smoothed.certify(x, n=draws, batch_size=250)
    return Side(label, radius, time.perf_counter() - begun)


def _report(ours: Side, theirs: Side, y: np.ndarray) -> int:
    from scipy import stats

    for name, side in (("ART", theirs), ("slr_keras", ours)):
        right = side.label == y
        shares = [f"{100 * (right & (side.radius >= r)).mean():5.1f}" for r in (0, 0.25, 0.5)]
        mean, kept = side.radius.mean(), int((side.label < 0).sum())
        print(f"{name:10} certified % at 0, 0.25, 0.5: {' '.join(shares)}  mean radius {mean:.4f}")
        print(f"{'':10} abstained {kept} of {len(y)}, {side.seconds:.1f} s")
    both = (ours.label >= 0) & (theirs.label >= 0)
    apart = (ours.radius - theirs.radius)[both]
    error = apart.std() / np.sqrt(len(apart))
    abstained = (ours.label < 0).astype(int) - (theirs.label < 0)
    p = stats.ks_2samp(ours.radius, theirs.radius).pvalue
    verdicts = {
        "the same classes": bool((ours.label == theirs.label)[both].all()),
        f"mean difference {apart.mean():+.5f} +- {error:.5f}": abs(apart.mean()) <= ERRORS * error,
        f"abstentions {abstained.sum():+d}": abs(abstained.sum())
        <= ERRORS * np.sqrt(abs(abstained).sum()),
        f"Kolmogorov-Smirnov p {p:.3f}": p >= LEAST,
    }
    for what, holds in verdicts.items():
        print(f"{what}: {'agrees' if holds else 'DIFFERS'}")
    return 0 if all(verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
