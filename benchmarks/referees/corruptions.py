"""The common corruptions by the authors' program, picture by picture, with the same random numbers.

    python -m benchmarks.referees.corruptions --reference make_cifar_c.py --frost pictures/
    python -m benchmarks.referees.corruptions --images 2

The reference is a copy of ``make_cifar_c.py`` or ``make_imagenet_c.py`` of hendrycks/robustness;
if left out, the authors' package ``imagenet-c``. Only its functions are run, with the libraries
that they want: scikit-image, opencv-python-headless (4.10: later versions warp otherwise) and Wand
with ImageMagick 6. What they draw from ``np.random`` is what ours has drawn. Frost needs the
authors' pictures: ``--frost`` names their folder, that of ``imagecorruptions`` if left out.
"""

from __future__ import annotations

import argparse
import ast
import collections
import ctypes
import importlib.util
import io
import json
import shutil
import sys
import tempfile
import types
import unittest.mock
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.referees import _common
from slr_keras.corruptions._draws import Draws
from slr_keras.settings import registry

LEVELS = 1  # by which a value may differ: results are cut off, so that 1e-16 may make one
PICTURES = 5  # of the six that are named, the program draws among the first five


def main(arguments: list[str] | None = None) -> int:
    """Compare; 0 if no kind differs by more than a level anywhere."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", metavar="FILE", help="the program [package imagenet-c]")
    parser.add_argument("--frost", metavar="FOLDER", help="pictures [package imagecorruptions]")
    parser.add_argument("--images", type=int, default=16, help="[16]")
    parser.add_argument("--kinds", nargs="+", default=list(registry.variants("corruptions")))
    parser.add_argument("--keep", metavar="FILE", help="add a few results to an .npz for the tests")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    flags = parser.parse_args(arguments)
    for package in ("skimage", "cv2", "wand"):
        _common.needs(package)
    path = Path(flags.reference or _inside("imagenet_c", "corruptions.py"))
    with tempfile.TemporaryDirectory() as folder:
        frost = _first_pictures(Path(flags.frost or _inside("imagecorruptions", "frost")), folder)
        reference = Reference(path, frost)
        images = pictures(flags.images, reference.side)
        print(f"{path.name}: {len(images)} pictures of {reference.side} x {reference.side}")
        rows = [compared(reference, kind, images) for kind in flags.kinds]
        if flags.keep:
            keep(reference, Path(flags.keep))
    if flags.json:
        Path(flags.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return int(any(max(row["largest"]) > LEVELS for row in rows))


def compared(reference: Reference, kind: str, images: np.ndarray) -> dict[str, Any]:
    """Differences in levels by severity: largest, mean, and the share of values that differ."""
    row: dict[str, Any] = {"kind": kind, "largest": [], "mean": [], "share": []}
    for severity in range(1, 6):
        settings = {"pictures": reference.frost} if kind == "frost" else {}
        corruption = registry.get("corruptions", kind)(severity=severity, **settings)
        numbers = np.arange(100, 100 + len(images))
        ours = corruption.apply(images, numbers, seed=3).astype(int)
        drawn = corruption.draw(Draws(3, f"{kind} {severity}", numbers), images.shape[1:])
        theirs = [
            reference.apply(kind, image, severity, [part[place] for part in drawn])
            for place, image in enumerate(images)
        ]
        apart = abs(ours - np.stack(theirs))
        row["largest"].append(int(apart.max()))
        row["mean"].append(float(apart.mean()))
        row["share"].append(float((apart > 0).mean()))
    text = "  ".join(
        f"{n}/{100 * s:.3f}%" for n, s in zip(row["largest"], row["share"], strict=True)
    )
    print(
        f"{kind:18s} largest {max(row['largest'])}, mean {np.mean(row['mean']):.6f}: {text}",
        flush=True,
    )
    return row


def keep(reference: Reference, file: Path) -> None:
    """Add what the program makes of one small picture to the arrays of a file.

    Larger programs get the picture with its pixels repeated, and of their result every 14th row and
    column is kept. Frost is left out: it is made of the authors' pictures.
    """
    kept = dict(np.load(file)) if file.exists() else {"image": pictures(2, 32)[0]}
    times = reference.side // 32
    image = kept["image"].repeat(times, 0).repeat(times, 1)
    for kind in registry.shipped("corruptions"):
        for severity in (2, 5) if kind != "frost" else ():
            corruption = registry.get("corruptions", kind)(severity=severity)
            drawn = corruption.draw(Draws(0, f"{kind} {severity}", np.array([7])), image.shape)
            made = reference.apply(kind, image, severity, [part[0] for part in drawn])
            step = 14 if times > 1 else 1
            kept[f"{reference.side} {kind} {severity}"] = made[::step, ::step].astype("uint8")
    np.savez_compressed(file, **kept)


class Reference:
    """The functions of the authors' program, whose random numbers are given.

    Args:
        path: the program.
        frost: folder of its pictures.

    Attributes:
        side: of the images that it is for, in pixels.
        frost: folder of its pictures.
    """

    def __init__(self, path: Path, frost: str):  # noqa: D107
        self.frost, self.random = frost, Given()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kept = (ast.FunctionDef, ast.ClassDef)
        tree.body = [node for node in tree.body if isinstance(node, kept)]
        self.functions = self._libraries()
        exec(compile(tree, str(path), "exec"), self.functions)
        self.side = {32: 32, 256: 224}[self.functions["plasma_fractal"].__defaults__[0]]

    def apply(self, kind: str, image: np.ndarray, severity: int, drawn: list[Any]) -> np.ndarray:
        """One image as the program writes it, int (H, W, C)."""
        self.random.queue = collections.deque(np.asarray(part) for part in drawn)
        with unittest.mock.patch("numpy.random.default_rng", lambda _: self.random):
            found = self.functions[kind](Image.fromarray(image), severity)
        assert not self.random.queue, f"{kind} draws less than ours"
        return np.uint8(found).astype(int)

    def _libraries(self) -> dict[str, Any]:
        """What the program imports, in today's versions."""
        import cv2
        import scipy.ndimage
        import skimage.color
        import skimage.util
        from wand.api import library
        from wand.image import Image as WandImage

        double = ctypes.c_double
        library.MagickMotionBlurImage.argtypes = (ctypes.c_void_p, double, double, double)
        return {
            "np": _Numpy(self.random),
            "sk": skimage,
            "gaussian": _gaussian,
            "cv2": _with(cv2, imread=lambda name: cv2.imread(f"{self.frost}/{Path(name).name}")),
            "scizoom": scipy.ndimage.zoom,
            "map_coordinates": scipy.ndimage.map_coordinates,
            "BytesIO": io.BytesIO,
            "PILImage": Image,
            "Image": Image,
            "WandImage": WandImage,
            "wandlibrary": library,
            "resource_filename": lambda module, name: name,
            "data": types.SimpleNamespace(Dataset=object),
            "default_loader": None,
            "__name__": "reference",
        }


class Given:
    """Stands for ``np.random`` and for a generator: gives what was drawn before, in its order."""

    queue: collections.deque[np.ndarray]

    def _next(self, size: Any) -> Any:
        shape = () if size is None else tuple(np.atleast_1d(size))
        head = self.queue.popleft()
        if head.shape != shape:  # drawn at once, asked for one by one
            assert head.shape[head.ndim - len(shape) :] == shape, (head.shape, shape)
            self.queue.extendleft(head.reshape(-1, *shape)[::-1])
            head = self.queue.popleft()
        return head

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = None) -> Any:
        """See NumPy."""
        return loc + scale * self._next(size)

    def uniform(self, low: float, high: float, size: Any = None) -> Any:
        """See NumPy."""
        return low + (high - low) * self._next(size)

    def random(self, size: Any = None) -> Any:
        """See NumPy."""
        return self._next(size)

    def randint(self, low: int, high: int | None = None, size: Any = None) -> Any:
        """See NumPy."""
        low, high = (0, low) if high is None else (low, high)
        return np.floor(self._next(size) * (high - low)).astype(int) + low

    def poisson(self, lam: np.ndarray) -> np.ndarray:
        """See NumPy; by SciPy's inverse of the CDF."""
        from scipy.stats import poisson

        return np.maximum(poisson.ppf(self._next(lam.shape), lam), 0)


class _Numpy(types.ModuleType):
    """NumPy with given random numbers, and with names that it has dropped."""

    def __init__(self, random: Given):
        super().__init__("numpy")
        self.random, self.float_, self.fromstring = random, np.float64, np.frombuffer

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _with(module: Any, **changed: Any) -> Any:
    return types.SimpleNamespace(**(vars(module) | changed))


def _gaussian(image: np.ndarray, sigma: float, multichannel: bool = False, **more: Any) -> Any:
    from skimage.filters import gaussian

    return gaussian(image, sigma=sigma, channel_axis=-1 if multichannel else None, **more)


def pictures(count: int, side: int) -> np.ndarray:
    """Pieces of scikit-learn's two photographs, uint8 (N, side, side, 3), and a flat one."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    rng, found = np.random.default_rng(0), []
    for place in range(count):
        photograph = Image.fromarray(photographs[place % len(photographs)])
        if side < 100:
            photograph = photograph.resize((160, 107), Image.Resampling.BOX)
        left, top = (rng.integers(0, size - side) for size in photograph.size)
        found.append(np.asarray(photograph.crop((left, top, left + side, top + side))))
    found[-1] = np.full_like(found[-1], 255)
    return np.stack(found)


def _first_pictures(source: Path, folder: str) -> str:
    """A folder of the pictures that the program draws among."""
    for file in sorted(source.glob("frost*"))[:PICTURES]:
        shutil.copy(file, folder)
    return folder


def _inside(package: str, name: str) -> Path:
    """A file of a package that need not be importable any more."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package}: pip install it, or name the file or folder by a flag")
    return Path(spec.origin).parent / name


if __name__ == "__main__":
    sys.exit(main())
