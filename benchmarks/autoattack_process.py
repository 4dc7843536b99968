"""AutoAttack on a trained run, the whole process: ours against the program of its authors.

    python -m benchmarks.autoattack_process runs/x --images 300
    python -m benchmarks.autoattack_process runs/x --second   # what a second evaluation takes

Both sides get the same weights and the same test images, in a process of their own each, start and
compiling included, or with ``--second`` without the start. RUN is a run folder whose model is
``small_cnn`` (the presets ``cifar10-1k-*``).
``pip install --no-deps pyautoattack``.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from benchmarks import _timing

TARGET = 0.8


def main(arguments: list[str] | None = None) -> int:
    """Compare, or be the peer; 0 if the target is reached."""
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("run", help="a run folder")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--second", action="store_true", help="time the second in a process")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--inputs", type=pathlib.Path, help=argparse.SUPPRESS)
    flags = parser.parse_args(arguments)
    if flags.side is None:
        return _compare(flags)
    work = functools.partial(SIDES[flags.side], flags)
    return _timing.serve(lambda: work) if flags.second else work()


def _compare(flags: argparse.Namespace) -> int:
    _timing.warn_if_busy()
    with tempfile.TemporaryDirectory() as folder:
        inputs = pathlib.Path(folder)
        _prepare(flags, inputs)
        times = _second(flags, inputs) if flags.second else _first(flags, inputs)
        rows = json.loads((inputs / "evaluation.json").read_text())["results"]
        theirs = json.loads((inputs / "peer.json").read_text())
    ours = {row["attack"]: row["accuracy"] for row in rows}
    print(f"robust accuracy: {ours['autoattack']:.4f} ours, {theirs['accuracy']:.4f} theirs")
    what = "second evaluation" if flags.second else "whole process"
    name = f"AutoAttack, {flags.images} images, {what} / pyautoattack"
    return _timing.report(
        [_timing.Comparison(name, times["ours"], times["peer"], TARGET)], flags.json
    )


def _first(flags: argparse.Namespace, inputs: pathlib.Path) -> dict[str, _timing.Times]:
    return {side: _whole(_command(flags, inputs, side)) for side in SIDES}


def _second(flags: argparse.Namespace, inputs: pathlib.Path) -> dict[str, _timing.Times]:
    works = {s: _timing.Side(*_command(flags, inputs, s), "--second") for s in SIDES}
    return _timing.alternate(works, rounds=1, warmup=1)


def _command(flags: argparse.Namespace, inputs: pathlib.Path, side: str) -> list[str]:
    numbers = ["--images", str(flags.images), "--threads", str(flags.threads)]
    where = [flags.run, "--side", side, "--inputs", str(inputs)]
    return ["benchmarks.autoattack_process", *where, *numbers]


def _whole(command: list[str]) -> _timing.Times:
    """Wall and processor time of a process."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", *command], check=True, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _timing.Times([time.perf_counter() - begun], [cpu])


def _prepare(flags: argparse.Namespace, inputs: pathlib.Path) -> None:
    """Weights of the best epoch and test images, for the peer."""
    import torch

    from benchmarks import torch_reference
    from slr_keras import data
    from slr_keras.backend import keras
    from slr_keras.run_folder import RunFolder

    folder = RunFolder.open(flags.run)
    config = folder.config()
    found = data.load(config.data, config.seed)
    net = keras.models.load_model(folder["best.keras"])
    shape = found.input_shape[-1], found.num_classes
    twin = torch_reference.SmallCNN(*shape, config.model.width, config.model.strides)
    torch_reference.copy_to_torch(net, twin)
    torch.save(twin.state_dict(), inputs / "weights.pt")
    x = np.asarray(found.x_test[: flags.images], "float32") / 255
    np.savez(inputs / "images.npz", x=x, y=found.y_test[: flags.images])
    facts = {"eps": config.attack.eps, "classes": found.num_classes}
    facts |= {"width": config.model.width, "strides": config.model.strides}
    (inputs / "facts.json").write_text(json.dumps(facts))


def _ours(flags: argparse.Namespace) -> int:
    from slr_keras import evaluate

    attacks = ["--attacks", "autoattack", "--num-samples", str(flags.images), "--checks", "none"]
    found = flags.inputs / "evaluation.json"
    found.unlink(missing_ok=True)  # it would be gone on with
    out = ["--out", str(found), "--progress", "quiet"]
    return evaluate.main([flags.run, *attacks, *out])


def _peer(flags: argparse.Namespace) -> int:
    import pyautoattack
    import torch

    from benchmarks import torch_reference

    torch.set_num_threads(flags.threads)
    inputs = flags.inputs
    facts = json.loads((inputs / "facts.json").read_text())
    arrays = np.load(inputs / "images.npz")
    x, y = torch_reference.to_torch_images(arrays["x"]), torch.from_numpy(arrays["y"]).long()
    net = torch_reference.SmallCNN(
        x.shape[1], facts["classes"], facts["width"], tuple(facts["strides"])
    )
    net.load_state_dict(torch.load(inputs / "weights.pt"))
    net.eval()
    suite = pyautoattack.AutoAttack(net, norm="Linf", eps=facts["eps"], version="standard")
    adversarial, _ = suite.run_standard_evaluation(x, y, batch_size=250)
    with torch.no_grad():
        accuracy = (net(adversarial).argmax(1) == y).float().mean().item()
    (inputs / "peer.json").write_text(json.dumps({"accuracy": accuracy}))
    return 0


SIDES: dict[str, Callable[[argparse.Namespace], int]] = {"ours": _ours, "peer": _peer}


if __name__ == "__main__":
    sys.exit(main())
