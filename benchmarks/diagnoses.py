"""What the diagnoses say of runs that are there: healthy ones must have none.

python -m benchmarks.diagnoses RUN ...              # one line a run, and how many were said
python -m benchmarks.diagnoses RUN ... --keep       # their histories to tests/kept/histories.json

Each run is replayed epoch by epoch, as its trainer would have seen it, without the look for masked
gradients (which needs the network).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from slr_keras import config, data
from slr_keras.diagnoses._base import Facts, Seen
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder
from slr_keras.settings import registry, schema

KEPT = pathlib.Path(__file__).parent.parent / "tests" / "kept" / "histories.json"
DIGITS = 5  # of a figure


def main() -> None:
    """Replay, print, keep."""
    parser = argparse.ArgumentParser(description="What the diagnoses say of runs.")
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    histories = [history(RunFolder.open(path)) for path in options.runs]
    said = 0
    for one in histories:
        found = replay(one)
        said += len(found)
        print(f"{one['name']:60} {len(one['epochs']):4} epochs  {found or 'nothing'}")
    print(f"{said} diagnoses in {len(histories)} runs")
    if options.keep:
        KEPT.write_text(
            json.dumps(histories, separators=(",", ":")).replace('{"name"', '\n{"name"')
        )


def history(folder: RunFolder) -> dict[str, Any]:
    """What a run was and what was measured in it, as plain values."""
    run = folder.config()
    loaded = data.load(run.data.replace(check=False), run.seed, read=False)
    labels = loaded.y_val if len(loaded.y_val) else loaded.y_train
    shares = np.bincount(np.asarray(labels, int)) / len(labels)
    batch = run.train.batch_size
    facts = Facts(
        classes=loaded.num_classes,
        values=int(np.prod(loaded.input_shape)),
        steps_per_epoch=max(1, len(loaded.x_train) // batch),
        train_samples=min(run.eval.train_samples or 10**9, len(loaded.x_train)),
        val_samples=min(run.eval.val_samples or 10**9, len(loaded.x_val)),
        largest_class=round(float(shares.max()), DIGITS),
    )
    changed = config.RunConfig()
    settings = {
        key: value
        for key, value in schema.to_dict(run).items()
        if value != schema.to_dict(changed)[key] and key not in ("run_dir", "overwrite")
    }
    rows = [[_short(value) for value in dataclasses.astuple(e)] for e in folder.epochs()]
    return {
        "name": folder.path.resolve().name,
        "settings": settings,
        "facts": dataclasses.asdict(facts),
        "columns": [field.name for field in dataclasses.fields(events.EpochEnded)],
        "epochs": rows,
    }


def replay(kept: dict[str, Any]) -> dict[str, int]:
    """``{name of a diagnosis: epoch}`` of those that speak in a kept history."""
    run = config.load(values=kept["settings"])
    facts = Facts(**kept["facts"])
    epochs = [
        events.EpochEnded(**dict(zip(kept["columns"], row, strict=True))) for row in kept["epochs"]
    ]
    found: dict[str, int] = {}
    for one in registry.variants("diagnoses").values():
        for count in range(len(epochs) + 1):
            if one().look(Seen(run, facts, epochs[:count])):
                found[one.name] = count
                break
    return found


def _short(value: Any) -> Any:
    return round(value, DIGITS) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
