"""One full training step of slr_keras: against PyTorch, against plain AT, and its memory.

python -m benchmarks.step --model resnet18 --batch 32
python -m benchmarks.step --model small_cnn
python -m benchmarks.step --attack-dtype bfloat16
python -m benchmarks.step --against at --method trades
python -m benchmarks.step --memory            # peak memory of this process
"""

from __future__ import annotations

import argparse
import resource
import sys

from benchmarks import _subjects, _timing

TARGETS = {("resnet18", None): 0.93, ("small_cnn", None): 0.50, ("resnet18", "bfloat16"): 0.45}
AT_TARGETS = {"slr": 1.06, "trades": 1.10, "mart": 1.10, "awp": 1.15}
MEMORY_TARGET = 1.35  # GB


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison that the flags ask for; 0 if its target is reached."""
    flags = _flags(arguments)
    _timing.use_threads(flags.threads)
    if flags.memory:
        return _memory(flags)
    compare = {"torch": _against_torch, "at": _against_at}[flags.against]
    return _timing.report([compare(flags)], flags.json)


def _flags(arguments: list[str] | None) -> argparse.Namespace:
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="resnet18")
    parser.add_argument("--batch", type=int, help="images a step (32, small CNN 128)")
    parser.add_argument("--attack-dtype", choices=["bfloat16"], help="arithmetic of our attack")
    parser.add_argument("--against", choices=["torch", "at"], default="torch")
    parser.add_argument(
        "--method", choices=list(AT_TARGETS), default="slr", help="what is compared with AT"
    )
    parser.add_argument("--memory", action="store_true", help="measure peak memory, not time")
    return parser.parse_args(arguments)


def _ours(flags: argparse.Namespace, method: str = "slr") -> _timing.Work:
    batch = _subjects.data(flags.model, flags.batch)
    model = _subjects.classifier(_subjects.network(flags.model), method, dtype=flags.attack_dtype)
    return _subjects.training_step(model, batch)


def _against_torch(flags: argparse.Namespace) -> _timing.Comparison:
    times = _timing.alternate(
        {"ours": _ours(flags), "peer": _torch_step(flags)}, flags.rounds, flags.warmup
    )
    target = TARGETS.get((flags.model, flags.attack_dtype))
    name = f"SLR step, {flags.model}, {flags.attack_dtype or 'float32'} attack / PyTorch"
    return _timing.Comparison(name, times["ours"], times["peer"], target)


def _torch_step(flags: argparse.Namespace) -> _timing.Work:
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
    trainer = torch_reference.Trainer(net, bank)
    x, y = torch_reference.to_torch_images(batch.x), torch.from_numpy(batch.y)
    index = torch.from_numpy(batch.index).long()
    return lambda: trainer.slr_step(x, y, index)


def _against_at(flags: argparse.Namespace) -> _timing.Comparison:
    # The model built first in a process measures slower than its twin built later, so each
    # method has one of either kind.
    name = flags.method
    order = {key: _ours(flags, key.split()[0]) for key in (name, "at", "at again", f"{name} again")}
    times = _timing.alternate(order, flags.rounds, flags.warmup)
    ours, at = (times[key].joined(times[f"{key} again"]) for key in (name, "at"))
    title = f"{name.upper()} / AT, {flags.model}"
    return _timing.Comparison(title, ours, at, AT_TARGETS[name])


def _memory(flags: argparse.Namespace) -> int:
    step = _ours(flags)
    for _ in range(3):
        step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"peak memory of the process: {peak:.2f} GB (target <= {MEMORY_TARGET} GB)")
    return 0 if peak <= MEMORY_TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
