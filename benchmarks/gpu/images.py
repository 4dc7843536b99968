"""A data set as a small file: CIFAR-10 in 0.56 of its bytes, without loss.

    python -m benchmarks.gpu.images prepare cifar10 cifar10.packed --dir ~/tensorflow_datasets
    python -m benchmarks.gpu.images unpack cifar10.packed cifar10.npz # then --data.name cifar10.npz
    python -m benchmarks.gpu.images prepare cifar10 some.packed --train 20000  # the first of them

Neighbouring pixels are alike: what is stored is the difference of each from a guess by its left,
upper and upper left neighbour (the median edge detector of JPEG-LS), red and blue less green, in
zlib's Huffman code. LZMA after it takes minutes for a hundredth more.
"""

from __future__ import annotations

import os
import pathlib
import sys
import zlib
from collections.abc import Sequence

import numpy as np

from slr_keras.errors import UserError
from slr_keras.terminal import cli

SHAPE = ".shape"  # of packed images, beside their bytes


def pack(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C), uint8, as a shorter row of bytes."""
    planes = _framed(images)
    rest = planes[1:, 1:] - _guess(planes[1:, :-1], planes[:-1, 1:], planes[:-1, :-1])
    coder = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    return np.frombuffer(coder.compress(rest.astype("uint8").tobytes()) + coder.flush(), "uint8")


def unpack(data: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The inverse: images of this shape."""
    count, height, width, channels = map(int, shape)
    planes = np.zeros((height + 1, width + 1, channels, count), "int16")
    rest = np.frombuffer(zlib.decompress(data.data), "uint8")
    rest = rest.reshape(height, width, channels, count)
    for i in range(height):
        for j in range(width):
            guess = _guess(planes[i + 1, j], planes[i, j + 1], planes[i, j])
            planes[i + 1, j + 1] = (rest[i, j] + guess) & 255
    return _unframed(planes)


def _framed(images: np.ndarray) -> np.ndarray:
    """(H + 1, W + 1, C, N): colours less green, with zeros above and to the left."""
    planes = images.transpose(1, 2, 3, 0).astype("int16")
    if images.shape[-1] == 3:
        planes[:, :, ::2] = (planes[:, :, ::2] - planes[:, :, 1:2]) & 255
    return np.pad(planes, ((1, 0), (1, 0), (0, 0), (0, 0)))


def _unframed(planes: np.ndarray) -> np.ndarray:
    planes = planes[1:, 1:]
    if planes.shape[2] == 3:
        planes[:, :, ::2] = (planes[:, :, ::2] + planes[:, :, 1:2]) & 255
    return np.ascontiguousarray(planes.transpose(3, 0, 1, 2).astype("uint8"))


def _guess(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The median of left, up and left + up - corner."""
    low, high = np.minimum(left, up), np.maximum(left, up)
    return np.clip(left + up - corner, low, high)


def write(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """A packed file of arrays; uint8 images (N, H, W, C) among them are packed."""
    out: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        packed = array.ndim == 4 and array.dtype == np.uint8
        out |= {name: pack(array), name + SHAPE: np.array(array.shape)} if packed else {name: array}
    with path.open("wb") as file:
        np.savez(file, **out)


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The arrays of a packed file."""
    try:
        with np.load(path) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: expected a packed data set ({error}); bring it again") from None
    shapes = {n.removesuffix(SHAPE): arrays.pop(n) for n in list(arrays) if n.endswith(SHAPE)}
    return {n: unpack(a, shapes[n]) if n in shapes else a for n, a in arrays.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare or unpack; 0."""
    parser = cli.Parser(prog="python -m benchmarks.gpu.images", description="Small data sets.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=cli.Parser)
    prepare, back = commands.add_parser("prepare"), commands.add_parser("unpack")
    prepare.add_argument("source", metavar="NAME", help="as --data.name")
    prepare.add_argument("--dir", default="", help="as --data.dir")
    prepare.add_argument("--train", type=int, metavar="N", help="the first N training images [all]")
    back.add_argument("source", type=pathlib.Path, metavar="PACKED")
    for one in (prepare, back):
        one.add_argument("target", type=pathlib.Path, metavar="FILE")
    flags = parser.parse(arguments)
    if flags.command == "unpack":
        np.savez(flags.target, **read(flags.source))  # type: ignore[arg-type]
    else:
        write(flags.target, _load(flags.source, flags.dir, flags.train))
    print(f"{flags.target} {flags.target.stat().st_size:,} bytes")
    return 0


def _load(name: str, folder: str, train: int | None = None) -> dict[str, np.ndarray]:
    """All that a source has, as it has it; of the training images the first so many."""
    from slr_keras.data import DataSettings
    from slr_keras.data._load import find_source

    splits = find_source(name).load(DataSettings(name=name, dir=os.path.expanduser(folder)))
    names = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "class_names")
    found = {n: getattr(splits, n) for n in names if getattr(splits, n) is not None}
    shown = {n: value[:train] if n.endswith("_train") else value for n, value in found.items()}
    return {n: np.asarray(value) for n, value in shown.items() if len(value)}


if __name__ == "__main__":
    sys.exit(cli.run(main))
