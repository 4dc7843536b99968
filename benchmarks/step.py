"""One full training step of slr_keras: against PyTorch, against plain AT, and its memory.

python -m benchmarks.step --model resnet18 --batch 32
python -m benchmarks.step --model small_cnn
python -m benchmarks.step --model demo_cnn --torch eager channels_last compile
python -m benchmarks.step --attack-dtype bfloat16
python -m benchmarks.step --against at --method trades
python -m benchmarks.step --memory            # peak memory of a process of each side
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

from benchmarks import _subjects, _timing

FORMS = ("eager", "channels_last", "compile")  # of PyTorch's step
TARGETS = {"resnet18": (0.85, 0.9, 0.95), "small_cnn": (0.6,) * 3, "demo_cnn": (0.75,) * 3}
AT_TARGETS = {"slr": 1.06, "trades": 1.10, "mart": 1.10, "awp": 1.15}
MEMORY_TARGET = 1.1  # of PyTorch's process


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison that the flags ask for; 0 if its target is reached."""
    flags = _flags(arguments)
    if flags.memory:
        return _memory(flags)
    if flags.peak == "peer":
        return _peak(_torch_step(flags, "eager"))
    _timing.use_threads(flags.threads)
    if flags.peak:
        return _peak(_ours(flags))
    compare = {"torch": _against_torch, "at": _against_at}[flags.against]
    return _timing.report(compare(flags), flags.json)


def _flags(arguments: list[str] | None) -> argparse.Namespace:
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="resnet18")
    parser.add_argument("--batch", type=int, help="images a step (32, small CNN 128, demo 100)")
    parser.add_argument(
        "--attack-dtype",
        choices=["bfloat16", "auto"],
        help="arithmetic of our attack; auto: what attack_precision auto would take",
    )
    parser.add_argument(
        "--torch", choices=FORMS, nargs="+", default=["eager"], help="forms of PyTorch's step"
    )
    parser.add_argument("--against", choices=["torch", "at"], default="torch")
    parser.add_argument(
        "--method", choices=list(AT_TARGETS), default="slr", help="what is compared with AT"
    )
    parser.add_argument("--memory", action="store_true", help="measure peak memory, not time")
    parser.add_argument("--peak", choices=("ours", "peer"), help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _ours(flags: argparse.Namespace, method: str = "slr") -> _timing.Work:
    batch = _subjects.data(flags.model, flags.batch)
    net = _subjects.network(flags.model)
    dtype = flags.attack_dtype
    if dtype == "auto":
        from slr_keras.training import precision

        choice = precision.choose(net, batch.x.shape)
        print(f"attack_precision {choice.precision}: {choice.reason}")
        dtype = None if choice.precision == "same" else choice.precision
    return _subjects.training_step(_subjects.classifier(net, method, dtype=dtype), batch)


def _against_torch(flags: argparse.Namespace) -> list[_timing.Comparison]:
    works = {"ours": _ours(flags)} | {form: _torch_step(flags, form) for form in flags.torch}
    times = _timing.alternate(works, flags.rounds, flags.warmup)
    name = f"SLR step, {flags.model}, {flags.attack_dtype or 'float32'} attack / PyTorch"
    targets = dict(zip(FORMS, TARGETS[flags.model], strict=True))
    return [
        _timing.Comparison(f"{name} {form}", times["ours"], times[form], targets[form])
        for form in flags.torch
    ]


def _torch_step(flags: argparse.Namespace, form: str) -> _timing.Work:
    try:
        import torch

        from benchmarks import torch_reference
    except ImportError:
        sys.exit("PyTorch is not installed: pip install -r benchmarks/requirements.txt")
    torch.set_num_threads(flags.threads)
    batch = _subjects.data(flags.model, flags.batch)
    torch.manual_seed(0)
    net = _subjects.torch_network(flags.model)
    bank = torch_reference.one_hot_bank(batch.y, _subjects.CLASSES)
    x, y = torch_reference.to_torch_images(batch.x), torch.from_numpy(batch.y)
    if form == "channels_last":
        net, x = (thing.to(memory_format=torch.channels_last) for thing in (net, x))
    elif form == "compile":
        net = torch.compile(net)
    trainer = torch_reference.Trainer(net, bank)
    index = torch.from_numpy(batch.index).long()
    return lambda: trainer.slr_step(x, y, index)


def _against_at(flags: argparse.Namespace) -> list[_timing.Comparison]:
    # The model built first in a process measures slower than its twin built later, so each
    # method has one of either kind.
    name = flags.method
    order = {key: _ours(flags, key.split()[0]) for key in (name, "at", "at again", f"{name} again")}
    times = _timing.alternate(order, flags.rounds, flags.warmup)
    ours, at = (times[key].joined(times[f"{key} again"]) for key in (name, "at"))
    title = f"{name.upper()} / AT, {flags.model}"
    return [_timing.Comparison(title, ours, at, AT_TARGETS[name])]


def _memory(flags: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "benchmarks.step", "--model", flags.model, "--peak"]
    ours, peer = (
        float(subprocess.run([*command, side], check=True, capture_output=True).stdout.split()[-1])
        for side in ("ours", "peer")
    )
    ratio = f"{ours / peer:.2f} (target <= {MEMORY_TARGET})"
    print(f"peak memory, {flags.model}: {ours:.2f} GB ours, {peer:.2f} GB PyTorch: {ratio}")
    return 0 if ours <= MEMORY_TARGET * peer else 1


def _peak(step: _timing.Work) -> int:
    for _ in range(3):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)
    return 0


if __name__ == "__main__":
    sys.exit(main())
