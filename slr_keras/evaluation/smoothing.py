"""Randomised smoothing: certificates in L2 that no attack can break.

Cohen, Rosenfeld and Kolter 2019 (arXiv 1902.02918). The smoothed classifier ``g`` says of ``x`` the
class that a network ``f`` most often says of ``x + sigma N(0, I)``. Where ``f`` says it with a
probability of at least ``p > 1/2``, ``g`` says the same of every image closer than
``sigma Phi^-1(p)`` in L2 (theorem 1). ``p`` is bounded from draws, so that a certificate is wrong
with a probability of at most ``failure``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slr_keras.attacks.gaussian import Gaussian
from slr_keras.backend import np
from slr_keras.errors import DataError, SettingError
from slr_keras.evaluation.intervals import wilson
from slr_keras.settings.schema import Settings, setting

if TYPE_CHECKING:
    from slr_keras.config import RunConfig

RADII = (0.0, 0.25, 0.5, 0.75, 1.0)
ABSTAINED = -1
AT_ONCE = 50_000  # noisy images between two calls of ``on_progress``


@dataclasses.dataclass(frozen=True)
class Smoothing(Settings):
    """How a network is smoothed and how surely it is certified.

    Example:
        >>> round(Smoothing(sigma=0.25, samples=100_000).largest_radius, 2)
        0.95

    Raises:
        SettingError: a number out of range, or too few samples for any certificate.
    """

    sigma: float = setting(
        0.25,
        label="Sigma",
        help="standard deviation of the noise; that of training is best",
        unit="pixels in [0, 1]",
        above=0,
    )
    samples_select: int = setting(
        100,
        label="Draws that choose",
        help="noisy images of each that choose the class (n0 in the paper)",
        at_least=1,
    )
    samples: int = setting(
        1000,
        label="Draws that certify",
        help="noisy images of each that bound the class's probability (n; the paper has 100,000)",
        at_least=1,
    )
    failure: float = setting(
        0.001,
        label="Probability of failure",
        help="of a wrong certificate, each (alpha)",
        above=0,
        below=1,
    )

    def validate(self) -> None:
        """When all draws agree the bound, ``failure^(1/samples)``, exceeds a half."""
        needed = math.floor(math.log(self.failure) / math.log(0.5)) + 1
        if self.samples < needed:
            raise SettingError(
                "samples",
                f"expected {needed} or more, received {self.samples}: with fewer no image can be "
                f"certified at a probability of failure of {self.failure:g}",
            )

    @property
    def largest_radius(self) -> float:
        """The certificate of an image of which all draws say the same."""
        return float(radius_of(self.failure ** (1 / self.samples), self.sigma))


def lower_bound(votes: Any, draws: int, failure: float) -> Any:
    """The one-sided Clopper-Pearson bound of a probability that gave ``votes`` of ``draws``.

    The ``failure`` quantile of Beta(votes, draws - votes + 1); 0 without votes. It exceeds the
    probability in at most the share ``failure`` of all experiments.

    Example:
        >>> round(float(lower_bound(1000, 1000, 0.001)), 4)
        0.9931
    """
    from scipy import stats

    votes = np.asarray(votes)
    bound = stats.beta.ppf(failure, np.maximum(votes, 1), draws - votes + 1)
    return np.where(votes > 0, bound, 0.0)


def radius_of(probability: Any, sigma: float) -> Any:
    """``sigma Phi^-1(p)``, 0 for ``p <= 1/2``."""
    from scipy import special

    return sigma * special.ndtri(np.maximum(probability, 0.5))


@dataclasses.dataclass(frozen=True)
class Certificates:
    """What is proved of images: within ``radius`` in L2 the smoothed classifier says ``label``.

    Attributes:
        label: (N,) int, -1 where the classifier abstained.
        radius: (N,) float, pixels in [0, 1]; 0 where it abstained.
    """

    label: np.ndarray
    radius: np.ndarray

    @property
    def abstained(self) -> float:
        """Share of images of which nothing is said."""
        return float((self.label == ABSTAINED).mean())


class Certifier:
    """CERTIFY and PREDICT of the paper (section 3.2) on one network, compiled once.

    The noise of an image depends on the seed and its number alone: images in portions, in any
    order, with any batch size, give what all together give.

    Args:
        net: Keras classifier with logits, or a function from images to logits.
        smoothing: sigma, draws and probability of failure.
        batch_size: noisy images at once, rounded down to a multiple of 25, at least 25.
        seed: fixes the noise.

    Example:
        >>> certifier = Certifier(net, Smoothing(sigma=0.25))               # doctest: +SKIP
        >>> certifier.certify(x[50:100], np.arange(50, 100)).radius.mean()  # doctest: +SKIP
    """

    def __init__(self, net: Any, smoothing: Smoothing, *, batch_size: int = 250, seed: int = 0):
        from slr_keras.evaluation.votes import Votes  # loads the framework

        self.smoothing = smoothing
        self.votes = Votes(net, smoothing.sigma, batch_size=batch_size, seed=seed)

    def certify(self, x: Any, numbers: Any = None) -> Certificates:
        """The class chosen by ``samples_select`` draws, certified by ``samples`` others.

        Args:
            x: images (N, H, W, C), uint8 or float in [0, 1].
            numbers: (N,) the images' places in their set; 0 to N - 1 if left out.

        Raises:
            DataError: images that do not fit the network, or numbers that do not fit the images.
        """
        x, numbers = self._usable(x, numbers)
        how = self.smoothing
        chosen = self.votes.count(x, numbers, how.samples_select, "select").argmax(axis=1)
        votes = self.votes.count(x, numbers, how.samples, "certify")[np.arange(len(x)), chosen]
        bound = lower_bound(votes, how.samples, how.failure)
        label = np.where(bound > 0.5, chosen, ABSTAINED)
        return Certificates(label, radius_of(bound, how.sigma))

    def predict(self, x: Any, numbers: Any = None) -> np.ndarray:
        """The class the smoothed classifier most probably says, (N,) int; -1: it abstains.

        The most frequent class of ``samples`` draws, if by the binomial test the second is less
        probable: another class is said with a probability of at most ``failure`` (Hung and
        Fithian 2019). Arguments as of :meth:`certify`.
        """
        from scipy import stats

        x, numbers = self._usable(x, numbers)
        votes = self.votes.count(x, numbers, self.smoothing.samples, "predict")
        second, first = np.sort(votes, axis=1)[:, -2:].T
        chance = 2 * stats.binom.sf(first - 1, first + second, 0.5)
        return np.where(chance <= self.smoothing.failure, votes.argmax(axis=1), ABSTAINED)

    def _usable(self, x: Any, numbers: Any) -> tuple[np.ndarray, np.ndarray]:
        from slr_keras import networks
        from slr_keras.backend import keras
        from slr_keras.checks import check_images
        from slr_keras.data import as_float

        x, net = np.asarray(x), self.votes.network
        takes = networks.input_shape(net) if isinstance(net, keras.Model) else x.shape
        check_images(as_float(x[:1]) if x.dtype == np.uint8 else x, takes)
        numbers = np.arange(len(x)) if numbers is None else np.asarray(numbers)
        whole = numbers.dtype.kind in "iu" and numbers.shape == (len(x),)
        if not whole or numbers.min() < 0:
            raise DataError(
                f"expected a number >= 0 for each of {len(x)} images, received "
                f"{numbers.dtype} of shape {numbers.shape}"
            )
        return x, numbers


# -- of a labelled set ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Point:
    """Accuracy that is certified at a radius, and its 95 % Wilson interval over images."""

    radius: float
    accuracy: float
    interval: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Certified(Certificates):
    """Certificates of labelled images.

    Attributes:
        correct: (N,) bool, the label is the true class.
        smoothing: what they rest on.

    Example:
        >>> found = Certified(np.array([3, -1]), np.array([0.4, 0.0]), np.array([True, False]),
        ...                   Smoothing(sigma=0.25))
        >>> found.accuracy(0.25), found.accuracy(0.5), found.average_radius
        (0.5, 0.0, 0.2)
    """

    correct: np.ndarray
    smoothing: Smoothing

    @classmethod
    def of(cls, certificates: Certificates, y: Any, smoothing: Smoothing) -> Certified:
        """Certificates compared with labels (N,)."""
        label = certificates.label
        return cls(label, certificates.radius, label == np.asarray(y), smoothing)

    def accuracy(self, radius: float = 0.0) -> float:
        """Share of images whose true class is certified within ``radius``."""
        return float(certified_accuracy(self.radius, self.correct, [radius])[0])

    @property
    def average_radius(self) -> float:
        """ACR, the mean radius, 0 where wrong (Zhai et al. 2020, arXiv 2001.02378, section 5)."""
        return float((self.radius * self.correct).mean())

    def curve(self, radii: Sequence[float] = RADII) -> list[Point]:
        """The certified accuracy at each radius."""
        shares, count = certified_accuracy(self.radius, self.correct, radii), len(self.radius)
        pairs = zip(radii, map(float, shares), strict=True)
        return [Point(radius, share, wilson(share * count, count)) for radius, share in pairs]


def certified_accuracy(radius: Any, correct: Any, radii: Sequence[float]) -> np.ndarray:
    """Share of images that are certified correctly at each of ``radii``.

    ``mean_i [correct_i and radius_i >= r]`` for each r; at 0 it is the accuracy of the smoothed
    classifier, an abstention being wrong.

    Args:
        radius, correct: (N,) of the images.
        radii: pixels in [0, 1], L2.

    Example:
        >>> certified_accuracy([0.4, 0.1], [True, True], [0.0, 0.25]).tolist()
        [1.0, 0.5]
    """
    reached = np.asarray(radius)[None] >= np.asarray(radii, "float64")[:, None]
    return (reached & np.asarray(correct, bool)[None]).mean(axis=1)


def certify(
    model: Any,
    x: Any,
    y: Any,
    sigma: float = 0.25,
    *,
    samples: int = 1000,
    samples_select: int = 100,
    failure: float = 0.001,
    batch_size: int = 250,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> Certified:
    """Certified accuracy of a Keras classifier in L2 by randomised smoothing.

    It is the smoothed classifier that is certified, of a network trained under such noise
    (``slr.attacks.Gaussian``); of another one next to nothing can be proved.

    Args:
        model: Keras classifier with logits.
        x: images (N, H, W, C), uint8 or float in [0, 1].
        y: (N,) labels, or one-hot rows.
        sigma: standard deviation of the noise, pixels in [0, 1].
        samples: draws that certify an image; 100,000 in the paper. They bound the largest radius:
            2.5 sigma with 1,000, 3.8 sigma with 100,000.
        samples_select: draws that choose its class.
        failure: probability of a wrong certificate, each.
        batch_size: noisy images at once.
        seed: fixes the noise.
        on_progress: called with the number of images done and of all.

    Raises:
        UserError: unusable images, labels, model or numbers.

    Example:
        >>> found = certify(model, x_test, y_test, sigma=0.25)             # doctest: +SKIP
        >>> found.accuracy(0.5), found.average_radius, found.abstained     # doctest: +SKIP
    """
    from slr_keras import networks
    from slr_keras.evaluation.inputs import usable

    smoothing = Smoothing(sigma, samples_select, samples, failure)
    net = networks.unwrapped(model)
    x, y = usable(net, x, y)
    certifier = Certifier(net, smoothing, batch_size=batch_size, seed=seed)
    parts, portion = [], max(1, AT_ONCE // samples)
    for first in range(0, len(x), portion):
        numbers = np.arange(first, min(first + portion, len(x)))
        parts.append(certifier.certify(x[numbers], numbers))
        on_progress(int(numbers[-1]) + 1, len(x))
    label, radius = (np.concatenate(arrays) for arrays in zip(*map(_arrays, parts), strict=True))
    return Certified.of(Certificates(label, radius), y, smoothing)


def _arrays(part: Certificates) -> tuple[np.ndarray, np.ndarray]:
    return part.label, part.radius


def trained_with_noise(config: RunConfig | None) -> bool | None:
    """Whether a run trained under Gaussian noise; None where nobody knows.

    Example:
        >>> trained_with_noise(None) is None
        True
    """
    if config is None:
        return None
    return config.method.adversarial and isinstance(config.attack, Gaussian)
