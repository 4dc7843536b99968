"""Images that stay on disk: memory of the process, and images a second, against loading them.

    python -m benchmarks.streaming                     # folders of 5,000 and 20,000 PNG files
    python -m benchmarks.streaming cifar10             # sets that are there: TFDS, .npz, folder

Each measurement has a process of its own, without a framework, that makes batches of 128 with crop
and flip. The memory of a streamed set may not grow with the set: the peak at 20,000 images is
held against the one at 5,000. Times are processor time, of all threads together, so that other work
on the machine disturbs little: images a second are those of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slr_keras import data

BATCH, SECONDS, SIDE = 128, 5.0, 64
FEW, MANY, GROWTH = 5_000, 20_000, 1.10


def main(arguments: list[str] | None = None) -> int:
    """Measure; 0 if memory stays within its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="*", help="data.name of sets that are there")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    flags = parser.parse_args(arguments)
    if flags.one:
        print(json.dumps(_measured(*flags.one)))
        return 0
    print("set                        images    pixels stream    ready  images/s     peak")
    for name in flags.name:
        for stream in ("on", "off"):
            _row(name, stream)
    return 0 if flags.name else _growth()


def _growth() -> int:
    with tempfile.TemporaryDirectory() as folder:
        peaks = []
        for count in (FEW, MANY):
            made = Path(folder) / f"{count} PNG {SIDE}x{SIDE}"
            _in_a_process(f"import benchmarks.streaming as s; s.paint({str(made)!r}, {count})")
            peaks.append([_row(str(made), stream) for stream in ("on", "off")])
        ratios = [many / few for few, many in zip(*peaks, strict=True)]
    print(f"peak, {MANY:,} / {FEW:,} images: streamed {ratios[0]:.2f}, loaded {ratios[1]:.2f}")
    return int(ratios[0] > GROWTH)


def _row(name: str, stream: str) -> float:
    arguments = ["-m", "benchmarks.streaming", "--one", name, stream]
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    print(
        f"{Path(name).name:24} {found['images']:8,} {found['pixels'] / 1e6:6.0f} MB {stream:>6} "
        f"{found['ready']:6.2f} s {found['rate']:9,.0f} {found['peak'] / 1e6:5.0f} MB",
        flush=True,
    )
    return found["peak"]


def _in_a_process(program: str) -> None:
    """The peak of a process counts the memory of the one that starts it: this one stays small."""
    subprocess.run([sys.executable, "-c", program], check=True)


def _measured(name: str, stream: str) -> dict[str, float]:
    begun = time.process_time()
    loaded = data.load(data.DataSettings(name=name, stream=stream), seed=0)
    ready = time.process_time() - begun
    x = loaded.x_train
    batches = data.Batches(x, loaded.y_train, BATCH, seed=0, augment="crop-flip").stream()
    begun, count = time.process_time(), 0
    while time.process_time() - begun < SECONDS:
        count += len(next(batches)[1])
    rate = count / (time.process_time() - begun)
    batches.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    images = sum(len(getattr(loaded, f"y_{split}")) for split in ("train", "val", "test"))
    pixels = images * x.nbytes // len(x)
    return {"images": images, "pixels": pixels, "ready": ready, "rate": rate, "peak": peak}


def paint(root: str, count: int) -> None:
    """A folder set of ``count`` coloured, smooth images of ten classes, a fifth for testing."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(count):
        path = (
            Path(root) / ("test" if i % 50 >= 40 else "train") / f"class {i % 10}" / f"{i:06}.png"
        )
        os.makedirs(path.parent, exist_ok=True)
        coarse = rng.integers(0, 256, (SIDE // 4, SIDE // 4, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)


if __name__ == "__main__":
    sys.exit(main())
