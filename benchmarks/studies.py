"""What a study costs beside its runs, and how long the table of many runs takes.

    python -m benchmarks.studies              # 200 finished runs as tables, figures and page: < 2 s
    python -m benchmarks.studies --overhead   # the study digits, its runs made up: < 2 %

Both are processor time. The overhead is all that the launcher does while and after the eight runs
of the study digits train and are evaluated, over what these take (641 s on two busy cores of an AMD
EPYC, 2026-11-29); processes that do nothing stand for them.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
import time
from typing import Any
from unittest import mock

import numpy as np

RUNS, SECONDS = 200, 2.0
DIGITS, SHARE = 641.0, 0.02
MANY = """
name = "many"
[base]
preset = "cifar10-1k-at"
[grid]
seed = {seeds}
[[arm]]
name = "AT"
[[arm]]
name = "AT + SLR"
"labels.name" = "slr"
[evaluation]
attacks = ["clean", "pgd-20", "autoattack"]
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure one of both; 0 if the limit is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--overhead", action="store_true", help="of the launcher")
    flags = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        return (_overhead if flags.overhead else _table)(pathlib.Path(place))


def _table(place: pathlib.Path) -> int:
    """The command ``--only-table`` on 200 finished runs, from what is imported on."""
    from slr_keras import study
    from slr_keras.studies import plan, work

    file = place / "many.toml"
    file.write_text(MANY.format(seeds=list(range(RUNS // 2))))
    found = work.Place(place / "out", plan.read(file))
    for run in found.study.runs:
        _finished(found, run)
    words = [str(file), "--out", str(found.path), "--only-table"]
    study.main(words)  # once, for what is imported
    begun = time.process_time()
    study.main(words)
    spent = time.process_time() - begun
    print(f"\n{len(found.study.runs)} runs: {spent:.2f} s (limit {SECONDS:.0f} s)")
    return int(spent > SECONDS)


def _overhead(place: pathlib.Path) -> int:
    """The launcher of the study digits."""
    from slr_keras import study
    from slr_keras.studies import work

    def command(self: Any, stage: Any) -> list[str]:
        if stage.name == work.TRAIN:
            _finished(self, stage.run)
        return ["true"]

    begun = time.process_time()
    with mock.patch.object(work.Place, "command", command):
        code = study.main(["digits", "--out", str(place / "out"), "--progress", "plain"])
    share = (time.process_time() - begun) / DIGITS
    print(f"\nthe launcher: {100 * share:.2f} % of what its runs take (limit {100 * SHARE:.0f} %)")
    return code or int(share > SHARE)


def _finished(place: Any, run: Any) -> None:
    """A run folder as training and evaluation leave it, as far as a table reads it."""
    from slr_keras import config
    from slr_keras.evaluation.bits import bits_of
    from slr_keras.protocol import events

    rng, images = np.random.default_rng(run.seed), place.study.num_samples
    folder = place.run_dir(run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(config.dumps(run.config))
    (folder / "summary.json").write_text('{"training_seconds": 100.0}')
    epochs = [_epoch(number, rng) for number in range(1, 101)]
    (folder / "events.jsonl").write_text("".join(events.encode(e) + "\n" for e in epochs))
    rows = [
        {"attack": name, "accuracy": float(hits.mean()), "interval": [0, 1], "samples": images,
         "right": bits_of(hits)}
        for name in place.study.attacks
        for hits in [rng.random(images) < 0.3]
    ]  # fmt: skip
    told = {
        "results": rows, "samples": images, "epoch": 100, "device": "CPU", "versions": {},
        "time": "2026-11-29", "seconds": 10.0, "data_digest": "d", "model_digest": "m",
        "checks": [],
    }  # fmt: skip
    for which in place.study.which:
        place.evaluation(run, which).write_text(json.dumps(told))


def _epoch(number: int, rng: np.random.Generator) -> Any:
    from slr_keras.protocol.events import EpochEnded

    loss, *shares = (float(value) for value in rng.random(9))
    return EpochEnded(number, 100, loss, *shares, 0.1, 100.0, 7.0 * number)


if __name__ == "__main__":
    sys.exit(main())
