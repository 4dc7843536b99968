"""AutoAttack on a trained run, the whole process: ours against the program of its authors.

    python -m benchmarks.autoattack_process runs/x --images 300

Both sides get the same weights and the same test images, in a process of their own each, start and
compiling included. RUN is a run folder whose model is ``small_cnn`` (the presets ``cifar10-1k-*``).
``pip install --no-deps pyautoattack``.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks import _timing

TARGET = 0.8


def main(arguments: list[str] | None = None) -> int:
    """Compare, or be the peer; 0 if the target is reached."""
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("run", help="a run folder; for the peer the folder with its inputs")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args(arguments)
    return _peer(flags) if flags.peer else _compare(flags)


def _compare(flags: argparse.Namespace) -> int:
    _timing.warn_if_busy()
    with tempfile.TemporaryDirectory() as folder:
        inputs = pathlib.Path(folder)
        _prepare(flags, inputs)
        here, count = ["--images", str(flags.images)], str(flags.images)
        out = ["--out", str(inputs / "evaluation.json"), "--progress", "quiet"]
        attacks = ["--attacks", "autoattack", "--num-samples", count, "--checks", "none"]
        peer = ["benchmarks.autoattack_process", folder, "--peer", *here]
        times = {
            "ours": _whole(["slr_keras.evaluate", flags.run, *attacks, *out]),
            "peer": _whole([*peer, "--threads", str(flags.threads)]),
        }
        rows = json.loads((inputs / "evaluation.json").read_text())["results"]
        theirs = json.loads((inputs / "peer.json").read_text())
    ours = {row["attack"]: row["accuracy"] for row in rows}
    print(f"robust accuracy: {ours['autoattack']:.4f} ours, {theirs['accuracy']:.4f} theirs")
    name = f"AutoAttack, {flags.images} images, whole process / pyautoattack"
    return _timing.report(
        [_timing.Comparison(name, times["ours"], times["peer"], TARGET)], flags.json
    )


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


def _peer(flags: argparse.Namespace) -> int:
    import pyautoattack
    import torch

    from benchmarks import torch_reference

    torch.set_num_threads(flags.threads)
    inputs = pathlib.Path(flags.run)
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


if __name__ == "__main__":
    sys.exit(main())
