"""Memory and time of the label bank against the size of the training set.

    python -m benchmarks.label_bank
    python -m benchmarks.label_bank --sizes 1280000x1000

A step reads the rows of a batch, refines them and writes them back, compiled, on synthetic data.
Peak memory is that of the process, so each size runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

SIZES = ("50000x10", "50000x100", "1280000x100", "1280000x1000")
KINDS = (("float32", 0), ("float16", 0), ("float16", 10))
BATCH, STEPS = 128, 200


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", nargs="+", default=SIZES, metavar="NxK", help="samples x classes"
    )
    parser.add_argument("--one", nargs=3, metavar=("NxK", "DTYPE", "TOP_K"), help="in this process")
    flags = parser.parse_args(arguments)
    if flags.one:
        print(json.dumps(measure(flags.one[0], flags.one[1], int(flags.one[2]))))
        return 0
    print(f"{'N x K':<14}{'kept':<22}{'bank':>10}{'peak':>10}{'a step':>10}")
    for size in flags.sizes:
        for dtype, top_k in KINDS:
            found = in_own_process(size, dtype, top_k)
            kept = f"{dtype}, {f'{top_k} largest' if top_k else 'all'}"
            bank, peak = (f"{found[key] / 1e6:,.0f} MB" for key in ("bank", "peak"))
            print(f"{size:<14}{kept:<22}{bank:>10}{peak:>10}{1000 * found['step']:>7.2f} ms")
    return 0


def in_own_process(size: str, dtype: str, top_k: int) -> dict[str, float]:
    """:func:`measure`, so that the peak is this size's own."""
    words = [sys.executable, "-m", "benchmarks.label_bank", "--one", size, dtype, str(top_k)]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


def measure(size: str, dtype: str, top_k: int) -> dict[str, float]:
    """Bytes of the bank, peak bytes of the process, median seconds of a step."""
    from slr_keras import backend
    from slr_keras.backend import ops
    from slr_keras.label_bank import LabelBank
    from slr_keras.methods.slr import SLR

    samples, classes = map(int, size.split("x"))
    bank, method, rng = LabelBank(samples, classes, dtype, top_k), SLR(), np.random.default_rng(0)
    p = ops.softmax(ops.convert_to_tensor(rng.normal(size=(BATCH, classes)).astype("float32")))

    def step(index, given):
        return bank.write(index, method.refine(bank.read(index, given), p, p))

    run, times = backend.compiled(step), []
    for _ in range(STEPS):
        index = ops.convert_to_tensor(rng.integers(0, samples, BATCH).astype("int32"))
        begun = time.perf_counter()
        ops.convert_to_numpy(run(index, p))
        times.append(time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"bank": bank.nbytes, "peak": peak, "step": float(np.median(times))}


if __name__ == "__main__":
    sys.exit(main())
