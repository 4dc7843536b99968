"""One look at the data of a run: what is allowed and probably a mistake, a sentence each."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from slr_keras.data._checks import SPLITS
from slr_keras.data._source import Splits
from slr_keras.hashing import bits

WORDS = {"train": "training", "val": "validation", "test": "test"}
NAMED = 3  # classes that a sentence names
UNEVEN = 10  # times as many images as the smallest class has
NARROW = 0.25  # of the whole range; dark sets such as digits and MNIST still reach both its ends
DARK = 0.02  # of the whole range; what was divided by 255 twice ends at 0.004
CHUNK = 2**20  # bytes that are looked at together, as many as a processor's cache holds
PROBES = 16  # pixels that tell most images from those of one colour
_HALF = np.uint64(32)

Group = Mapping[str, Sequence[int]]


def findings(splits: Splits) -> list[str]:
    """Sentences on labels and pixels; of images that are not in memory the labels alone.

    Args:
        splits: checked and cut, with the labels as the source gave them: planted noise would
            look like contradictions.

    Example:
        >>> x, y = np.arange(48, dtype=np.uint8).reshape(12, 2, 2, 1) * 5, np.arange(12) % 3
        >>> notes = findings(Splits(x, y, x[:0], y[:0], x[6:9], y[6:9], ("a", "b", "c")))
        >>> [note.partition(",")[0] for note in notes]
        ['identical images in training and test: 3 of 3']
    """
    names = splits.class_names or ()
    labels = {split: getattr(splits, f"y_{split}") for split in SPLITS}
    counts = {split: np.bincount(y, minlength=len(names)) for split, y in labels.items()}
    arrays = {split: getattr(splits, f"x_{split}") for split in SPLITS}
    arrays = {split: x for split, x in arrays.items() if isinstance(x, np.ndarray) and len(x)}
    pixels = {split: Pixels.of(x) for split, x in arrays.items()}
    groups = list(identical(arrays, pixels))
    return [
        *_of_absence(counts, names),
        *_of_sizes(counts["train"], names),
        *_of_ranges(pixels),
        *_of_colours(pixels),
        *_of_contradictions(groups, splits.y_train, names),
        *_of_leaks(groups, pixels),
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class Pixels:
    """What is kept of the images of a split, 8 bytes an image.

    Attributes:
        digests: uint64 (N,), the same for the same image.
        plain: which images are of one colour, ascending.
        low, high: the smallest and the largest value.
        top: what white is, 255 or 1.
    """

    digests: np.ndarray
    plain: np.ndarray
    low: float
    high: float
    top: int

    @classmethod
    def of(cls, x: np.ndarray) -> Pixels:
        """One pass over images (N, H, W, C), N at least 1."""
        factors = bits(0, "image digest", np.arange(-(-x[0].nbytes // 8))) | np.uint64(1)
        digests, plain, lows, highs = [], [], [], []
        step = max(1, CHUNK // x[0].nbytes)
        for start in range(0, len(x), step):
            part = np.ascontiguousarray(x[start : start + step])
            digests.append(_digests(part, factors))
            plain.append(start + _of_one_colour(part))
            lows.append(part.min())
            highs.append(part.max())
        low, high, top = float(min(lows)), float(max(highs)), 255 if x.dtype == np.uint8 else 1
        return cls(np.concatenate(digests), np.concatenate(plain), low, high, top)

    @property
    def span(self) -> float:
        """The share of the whole range that is used."""
        return (self.high - self.low) / self.top

    def __str__(self) -> str:
        return f"{self.low:.3g}..{self.high:.3g} of 0..{self.top}"


def _digests(part: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Sums of products modulo 2**64, in which high bits count little: they are folded down."""
    raw = part.reshape(len(part), -1).view(np.uint8)
    if raw.shape[1] % 8:
        raw = np.pad(raw, ((0, 0), (0, -raw.shape[1] % 8)))
    words = raw.view(np.uint64)
    return (words ^ (words >> _HALF)) @ factors


def _of_one_colour(part: np.ndarray) -> np.ndarray:
    """Which images have one colour; an image of one pixel cannot have two."""
    pixels = part.reshape(len(part), -1, part.shape[-1])
    if pixels.shape[1] == 1:
        return np.arange(0)
    first = pixels[:, :1]
    step = pixels.shape[1] // PROBES | 1  # odd, so that probes are not all of one column
    suspects = np.flatnonzero((pixels[:, ::step] == first).all(axis=(1, 2)))
    return suspects[(pixels[suspects] == first[suspects]).all(axis=(1, 2))]


def identical(arrays: Mapping[str, np.ndarray], pixels: Mapping[str, Pixels]) -> Iterator[Group]:
    """Groups of images that are the same byte for byte: their indices by split, ascending."""
    if not arrays:
        return
    names = list(arrays)
    split = np.repeat(np.arange(len(names)), [len(x) for x in arrays.values()])
    index = np.concatenate([np.arange(len(x)) for x in arrays.values()])
    digests = np.concatenate([pixels[name].digests for name in names])
    order = np.argsort(digests, kind="stable")
    again = np.flatnonzero(np.diff(digests[order]) == 0)
    suspects = order[np.union1d(again, again + 1)].tolist()
    for _, rows in itertools.groupby(suspects, key=lambda row: digests[row]):
        by_bytes: dict[bytes, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            name, place = names[split[row]], int(index[row])
            by_bytes[arrays[name][place].tobytes()][name].append(place)
        yield from (dict(group) for group in by_bytes.values() if sum(map(len, group.values())) > 1)


def _of_absence(counts: Mapping[str, np.ndarray], names: Sequence[str]) -> Iterator[str]:
    """Classes without images; what training does not show is said once."""
    shown = counts["train"] > 0
    for split, count in counts.items():
        absent = np.flatnonzero((count == 0) & (shown | (split == "train")))
        if count.any() and len(absent):
            listed = _listed([names[label] for label in absent.tolist()])
            yield f"no {WORDS[split]} image shows these classes: {listed}"


def _of_sizes(count: np.ndarray, names: Sequence[str]) -> Iterator[str]:
    shown = np.flatnonzero(count)
    few, many = int(shown[count[shown].argmin()]), int(shown[count[shown].argmax()])
    if count[many] > UNEVEN * count[few]:
        yield (
            f"training images are uneven: {count[many]:,} show {names[many]}, "
            f"{count[few]:,} show {names[few]}; what is rare is hardly learned"
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _of_ranges(pixels: Mapping[str, Pixels]) -> Iterator[str]:
    train = pixels.get("train")
    if train is None:
        return
    if train.top == 255 and train.high <= 1:
        yield (
            "x_train holds no whole number above 1 and is read as nearly black (1/255); "
            "for black and white images give float32 0.0 and 1.0"
        )
    elif train.top == 1 and 0 < train.high < DARK:
        yield (
            f"x_train holds no value above {train.high:.2g} and is read as nearly black; "
            "if it was divided by 255 twice, divide it once"
        )
    elif 0 < train.span < NARROW:
        yield (
            f"x_train holds {train} alone; attack.eps is of the whole range: stretch the images "
            "to it, unless they are meant so"
        )
    for split, other in pixels.items():
        if 0 < other.span < train.span / 10:
            yield f"x_{split} holds {other} alone, x_train {train}; scale both alike"


def _of_colours(pixels: Mapping[str, Pixels]) -> Iterator[str]:
    for split, seen in pixels.items():
        count, total = len(seen.plain), len(seen.digests)
        if count:
            yield (
                f"images of one colour in {WORDS[split]}: {count:,} of {total:,}, "
                f"x_{split}[{seen.plain[0]}] for example; nothing is to be seen on them"
            )


def _of_contradictions(
    groups: Iterable[Group], y: np.ndarray, names: Sequence[str]
) -> Iterator[str]:
    inside = [group["train"] for group in groups if "train" in group]
    inside = [rows for rows in inside if (y[rows] != y[rows[0]]).any()]
    if inside:
        count, rows = sum(map(len, inside)), min(inside, key=lambda rows: rows[0])
        pair = rows[0], rows[int(np.argmax(y[rows] != y[rows[0]]))]
        first, second = (f"x_train[{row}] ({names[y[row]]})" for row in pair)
        yield (
            f"identical training images with different labels: {count:,}, {first} and {second} "
            "for example; of the labels of one image one is right at most"
        )


def _of_leaks(groups: Sequence[Group], pixels: Mapping[str, Pixels]) -> Iterator[str]:
    for split in ("val", "test"):
        shared = [group for group in groups if {"train", split} <= group.keys()]
        if shared:
            count, total = sum(len(group[split]) for group in shared), len(pixels[split].digests)
            held, trained = min((group[split][0], group["train"][0]) for group in shared)
            yield (
                f"identical images in training and {WORDS[split]}: {count:,} of {total:,}, "
                f"x_{split}[{held}] and x_train[{trained}] for example; "
                "accuracy on them says nothing of new images"
            )
