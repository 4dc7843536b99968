"""FMN with 100 steps: slr_keras against Foolbox (on Keras and on PyTorch) and adv-lib (PyTorch).

    python -m benchmarks.minimal --model resnet18
    python -m benchmarks.minimal --model small_cnn --norm l0

All attack the same batch, labelled as the network sees it, on the same weights. What the distances
are is compared by ``benchmarks.referees.minimal_norms``.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import _subjects, _timing
from benchmarks.referees.minimal_norms import FMN, NORMS

OURS = "slr_keras"
TARGETS = {"resnet18": 0.6, "small_cnn": 0.5, "demo_cnn": 0.6}  # of the peer's time, at most


def main(arguments: list[str] | None = None) -> int:
    """Time every peer that is there; 0 if all targets are reached."""
    arguments = sys.argv[1:] if arguments is None else arguments
    flags = _flags(arguments)
    if flags.side:
        return _timing.serve(lambda: _side(flags))
    _timing.warn_if_busy()
    works = _timing.sides("benchmarks.minimal", arguments, OURS, flags.peers)
    times = _timing.alternate(works, flags.rounds, flags.warmup)
    ours, title = times.pop(OURS), f"FMN-{flags.steps} {flags.norm}, {flags.model}"
    target = TARGETS[flags.model]
    rows = [_timing.Comparison(f"{title} / {peer}", ours, t, target) for peer, t in times.items()]
    return _timing.report(rows, flags.json)


def _flags(arguments: list[str] | None) -> Any:
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="resnet18")
    parser.add_argument("--norm", choices=list(NORMS), default="linf")
    parser.add_argument("--batch", type=int, help="images at once (32, small CNN 128)")
    parser.add_argument("--steps", type=int, default=100, help="of the attack (default 100)")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--side", choices=[OURS, *PEERS], help=argparse.SUPPRESS)
    parser.set_defaults(rounds=3, warmup=1)
    return parser.parse_args(arguments)


def _side(flags: Any) -> _timing.Work:
    _timing.use_threads(flags.threads, 1 if flags.side == OURS else flags.threads)
    net = _subjects.network(flags.model)
    batch = _subjects.data(flags.model, flags.batch)
    seen = np.asarray(net(batch.x, training=False)).argmax(-1)
    batch = dataclasses.replace(batch, y=seen.astype("int64"))
    return {OURS: _ours, **PEERS}[flags.side](net, batch, flags)


def _ours(net: Any, batch: _subjects.Data, flags: Any) -> _timing.Work:
    import slr_keras as slr
    from slr_keras.attacks._arrays import Runner

    attack = slr.attacks.FMN(norm=flags.norm, steps=flags.steps).unbounded(batch.x.shape[1:])
    run = Runner(net, len(batch.x))
    return lambda: run(attack, batch.x, batch.y)


def _foolbox_keras(net: Any, batch: _subjects.Data, flags: Any) -> _timing.Work:
    import foolbox
    import tensorflow as tf

    model = foolbox.TensorFlowModel(net, bounds=(0, 1))
    attack = getattr(foolbox.attacks, FMN[flags.norm])(steps=flags.steps)
    x, y = tf.constant(batch.x), tf.constant(batch.y)
    return lambda: attack.run(model, x, y).numpy()


def _foolbox_torch(net: Any, batch: _subjects.Data, flags: Any) -> _timing.Work:
    import foolbox

    twin, x, y = _in_torch(net, batch, flags)
    model = foolbox.PyTorchModel(twin, bounds=(0, 1), device="cpu")
    attack = getattr(foolbox.attacks, FMN[flags.norm])(steps=flags.steps)
    return lambda: attack.run(model, x, y).numpy()


def _adv_lib(net: Any, batch: _subjects.Data, flags: Any) -> _timing.Work:
    from adv_lib.attacks import fmn

    twin, x, y = _in_torch(net, batch, flags)
    return lambda: fmn(twin, x, y, norm=NORMS[flags.norm], steps=flags.steps).numpy()


def _in_torch(net: Any, batch: _subjects.Data, flags: Any) -> tuple[Any, Any, Any]:
    """The network with the same weights, and the batch, in PyTorch."""
    import torch

    from benchmarks import torch_reference

    torch.set_num_threads(flags.threads)
    twin = _subjects.torch_network(flags.model).eval()
    torch_reference.copy_to_torch(net, twin)
    return twin, torch_reference.to_torch_images(batch.x), torch.from_numpy(batch.y)


PEERS: dict[str, Callable[[Any, _subjects.Data, Any], _timing.Work]] = {
    "Foolbox": _foolbox_keras,
    "Foolbox on PyTorch": _foolbox_torch,
    "adv-lib": _adv_lib,
}


if __name__ == "__main__":
    sys.exit(main())
