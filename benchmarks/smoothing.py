"""Certification by randomised smoothing against the forward passes that it is made of.

    python -m benchmarks.smoothing --model resnet18 --batch 50
    python -m benchmarks.smoothing --model small_cnn

One side certifies an image with so many draws, noise, votes and bound included. The other passes as
many images through the same network, batch by batch, compiled, logits fetched: the network itself,
and the folded one on which smoothing counts.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks import _subjects, _timing

RATE = 0.9  # of the raw forward rate, at least
DRAWS = {"resnet18": 400, "small_cnn": 20_000, "demo_cnn": 2000}


def main(arguments: list[str] | None = None) -> int:
    """Time both; 0 if smoothing reaches the rate."""
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="small_cnn")
    parser.add_argument("--batch", type=int, default=250, help="images at once (default 250)")
    parser.add_argument("--draws", type=int, help="of an image (400, small CNN 20,000)")
    flags = parser.parse_args(arguments)
    _timing.use_threads(flags.threads, flags.threads)
    draws = flags.draws or DRAWS[flags.model]
    works = _works(_subjects.network(flags.model), flags.model, flags.batch, draws)
    times = _timing.alternate(works, flags.rounds, flags.warmup)
    ours = times.pop("smoothing")
    done = draws / min(ours.wall)
    print(f"{draws} noisy images a step, at best {done:.0f} a second")
    comparisons = [
        _timing.Comparison(f"smoothing, {flags.model} / {name}", ours, peer, 1 / RATE)
        for name, peer in times.items()
    ]
    return _timing.report(comparisons, flags.json)


def _works(net: Any, model: str, batch: int, draws: int) -> dict[str, _timing.Work]:
    import numpy as np

    from slr_keras import backend
    from slr_keras.backend import ops
    from slr_keras.evaluation.smoothing import Certifier, Smoothing
    from slr_keras.inference import InferenceNetwork

    x = _subjects.data(model, batch).x
    how = Smoothing(sigma=0.25, samples_select=draws // 2, samples=draws - draws // 2)
    certifier, folded = Certifier(net, how, batch_size=batch), InferenceNetwork(net)
    signature = (x.shape, "float32")
    itself = backend.compiled(lambda images: net(images, training=False), signature)
    on_folded = backend.compiled(lambda images: folded.snapshot()(images), signature)
    tensor = ops.convert_to_tensor(x)

    def passes(run: Any) -> _timing.Work:
        return lambda: [ops.convert_to_numpy(run(tensor)) for _ in range(draws // batch)]

    return {
        "smoothing": lambda: certifier.certify(x[:1], np.zeros(1, "int64")),
        "forward passes": passes(itself),
        "folded forward passes": passes(on_folded),
    }


if __name__ == "__main__":
    sys.exit(main())
