"""All comparisons, one after the other, each in a process of its own: ``make bench``.

python -m benchmarks            # all, about a quarter of an hour on two idle cores
python -m benchmarks step       # those of one module
"""

from __future__ import annotations

import subprocess
import sys

COMMANDS = (
    "equality",
    "step --model resnet18 --torch eager channels_last compile",
    "step --model small_cnn",
    "step --model demo_cnn --torch eager channels_last compile",
    "step --attack-dtype auto",
    "step --model demo_cnn --attack-dtype auto --torch eager channels_last compile",
    "step --against at",
    "step --against at --method trades",
    "step --against at --method mart",
    "step --against at --method awp",
    "step --against at --model small_cnn",
    "step --against at --model small_cnn --method trades",
    "step --against at --model small_cnn --method mart",
    "step --against at --model small_cnn --method awp",
    "step --memory",
    "attacks --model resnet18",
    "attacks --model small_cnn",
    "minimal --model resnet18",
    "minimal --model small_cnn",
    "growth",
    "pipeline",
    "corruptions",
    "streaming",
    "smoothing --model small_cnn",
    "smoothing --model resnet18 --batch 50",
    "lab --model small_cnn",
    "lab --model resnet18",
)


def main(wanted: list[str]) -> int:
    """Run the commands whose module is wanted (all by default); 0 if every target is met."""
    chosen = [c.split() for c in COMMANDS if not wanted or c.split()[0] in wanted]
    missed = []
    for module, *flags in chosen:
        print(f"\n$ python -m benchmarks.{' '.join([module, *flags])}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *flags]).returncode:
            missed.append(" ".join([module, *flags]))
    print(f"\n{len(chosen) - len(missed)} of {len(chosen)} meet their targets", *missed, sep="\n  ")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
