"""Which labels are wrong: a run's label bank and network beside cleanlab's rankings.

    python -m benchmarks.referees.cleanlab_ranking runs/noise/at-slr-*    # in-sample, seconds a run
    python -m benchmarks.referees.cleanlab_ranking runs/noise/at-slr-* --folds 5

For runs that were trained with ``--data.label_noise`` and ``--analysis.record label_quality``: the
share of wrong labels among the k most suspected for k their number, and the AUROC, of the bank,
of the final network's probability of the given label, and of what cleanlab's three methods make of
the network's probabilities. With ``--folds`` cleanlab is used as it asks for, on probabilities of
networks of the same kind that have not seen the image (plain training, cross-validated). Our
ranking by the network has to be cleanlab's default one.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.referees import _common

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
EPOCHS, BATCH = 30, 100  # of the networks of the folds
Ranking = tuple[str, np.ndarray]  # its name, and the suspicion of each sample


def main() -> int:
    """A table for each run; 0 if our ranking by the network is cleanlab's."""
    flags = _parser().parse_args()
    _common.needs("cleanlab")
    from benchmarks import _timing

    _timing.use_threads(flags.threads)
    found = [one(pathlib.Path(run), flags.folds) for run in flags.runs]
    return int(not all(found))


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    result.add_argument("runs", nargs="+", help="run folders")
    result.add_argument("--folds", type=int, default=0, help="of the cross-validation (none)")
    result.add_argument("--threads", type=int, default=1, help="of TensorFlow (default 1)")
    return result


def one(run: pathlib.Path, folds: int = 0) -> bool:
    """Print the rankings of a run; whether ours by the network is cleanlab's."""
    from slr_keras import data, saving
    from slr_keras.analyses._base import softmax
    from slr_keras.analyses.label_quality import auroc, precision_at_k, self_confidence
    from slr_keras.data import as_float
    from slr_keras.run_folder import RunFolder

    config = RunFolder.open(run).config()
    images = data.load(config.data, config.seed)
    chosen = looked_at(config, len(images.x_train))
    x, label = as_float(images.x_train[:]), images.y_train
    wrong = (label != images.true_labels)[chosen]
    inside = softmax(predict(saving.load_model(run / "final.keras"), x[chosen]))
    ours = self_confidence(inside, label[chosen])
    rankings: list[Ranking] = [*recorded(run, wrong), ("network", 1 - ours)]
    rankings += [(f"cleanlab {m}, in-sample", s) for m, s in cleanlab(label[chosen], inside)]
    if folds:
        outside = held_out(config, x, label, images.num_classes, folds)[chosen]
        rankings += [
            (f"cleanlab {m}, {folds} folds", s) for m, s in cleanlab(label[chosen], outside)
        ]
    print(f"{run.name}: {wrong.sum()} of {len(wrong)} labels wrong")
    for name, suspicion in rankings:
        share, area = precision_at_k(suspicion, wrong), auroc(suspicion, wrong)
        print(f"  {name:50} precision@k {share:.3f}  AUROC {area:.3f}", flush=True)
    return bool(np.allclose(dict(cleanlab(label[chosen], inside))[METHODS[0]], 1 - ours))


def looked_at(config: Any, count: int) -> np.ndarray:
    """The training samples that a run's analyses look at."""
    rng = np.random.default_rng(config.seed)
    return np.sort(rng.permutation(count)[: config.analysis.samples])


def recorded(run: pathlib.Path, wrong: np.ndarray) -> Iterator[Ranking]:
    """The bank's ranking at the last evaluation, where the run has one."""
    for path in sorted((run / "analysis" / "label_quality").glob("*.npz"))[-1:]:
        with np.load(path) as arrays:
            if not np.array_equal(arrays["wrong"], wrong):
                raise SystemExit(f"{run}: its data have changed since it was recorded")
            if "suspicion" in arrays:
                yield "label bank", arrays["suspicion"]


def cleanlab(label: np.ndarray, p: np.ndarray) -> list[Ranking]:
    """Suspicion by each of cleanlab's methods."""
    from cleanlab.rank import get_label_quality_scores

    return [(m, 1 - get_label_quality_scores(label, p, method=m)) for m in METHODS]


def predict(net: Any, x: np.ndarray) -> np.ndarray:
    """Logits in float64."""
    parts = [np.asarray(net(x[i : i + 250], training=False)) for i in range(0, len(x), 250)]
    return np.concatenate(parts).astype("float64")


def held_out(config: Any, x: np.ndarray, label: np.ndarray, classes: int, folds: int) -> Any:
    """(N, K) probabilities, of each sample by a network that was trained without its fold."""
    import keras

    from slr_keras.analyses._base import softmax

    place = np.random.default_rng(config.seed).permutation(len(x)) % folds
    p = np.zeros((len(x), classes))
    for fold in range(folds):
        keras.utils.set_random_seed(fold)
        net = config.model.build(x.shape[1:], classes)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        net.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss)
        seen = place != fold
        net.fit(x[seen], label[seen], batch_size=BATCH, epochs=EPOCHS, verbose=0)
        p[~seen] = softmax(predict(net, x[~seen]))
    return p


if __name__ == "__main__":
    sys.exit(main())
