"""Measures the analyses of a run (``--analysis.record``) at its evaluations."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from slr_keras import config
from slr_keras.analyses._base import Images, Probe
from slr_keras.attacks.pgd import PGD
from slr_keras.backend import ops
from slr_keras.data import as_float
from slr_keras.evaluation.runner import Evaluator
from slr_keras.protocol.events import AnalysisMeasured
from slr_keras.run_folder import RunFolder, write_atomically
from slr_keras.settings import registry


class _Run(Protocol):
    """What is asked of a run."""

    config: config.RunConfig
    folder: RunFolder
    model: Any
    data: Any

    def evaluation_attack(self, steps: int) -> PGD: ...


class Observer:
    """Looks at fixed images of a run with the network as it is evaluated.

    Args:
        run: the run; its model and data are there.
    """

    def __init__(self, run: _Run):
        self.run = run
        self._evaluator: Evaluator | None = None
        self.analyses = [registry.get("analyses", name)() for name in run.config.analysis.names]

    def observe(self, epoch: int, emit: Callable[[AnalysisMeasured], None]) -> None:
        """Measure all; scalars are told, arrays written to ``analysis/<name>/<epoch>.npz``."""
        if not self.analyses:
            return
        probe = self._probe()
        if any(analysis.keeps_images for analysis in self.analyses):
            self._keep_images(probe)
        for analysis in self.analyses:
            scalars, arrays = analysis.measure(probe)
            if arrays:
                self._write(analysis.name, epoch, arrays)
            emit(AnalysisMeasured(epoch, analysis.name, scalars))

    def _write(self, name: str, epoch: int, arrays: dict[str, Any]) -> None:
        folder = self.run.folder["analysis"] / name
        folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomically(folder / f"{epoch:06}.npz", buffer.getvalue())

    def _keep_images(self, probe: Probe) -> None:
        """The training images that are looked at, 8 bits a value, and the names of the classes."""
        path = self.run.folder["analysis"] / "images.npz"
        if path.is_file():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = np.rint(255 * np.asarray(probe.train.x)).astype("uint8")
        buffer = io.BytesIO()
        np.savez(buffer, images=levels, class_names=np.array(self.run.data.class_names, str))
        write_atomically(path, buffer.getvalue())

    def _probe(self) -> Probe:
        data, net = self.run.data, self.run.model.trained_network()
        evaluator = self._evaluator_of(net)
        bank = self.run.model.label_bank
        chosen = self._chosen(len(data.x_train))
        soft = None if bank is None else _rows(bank, chosen, data.y_train[chosen])
        true = data.true_labels[chosen]
        train = _images(evaluator, data.x_train, data.y_train, chosen, true, soft)
        if not len(data.x_val):
            val = train
        else:
            held = self._chosen(len(data.x_val))
            val = _images(evaluator, data.x_val, data.y_val, held, data.y_val[held])
        return Probe(net, train, val, len(data.x_train), self._start(net))

    def _start(self, net: Any) -> list[np.ndarray]:
        """The weights at the run's first evaluation, kept in ``analysis/start.npz``."""
        path = self.run.folder["analysis"] / "start.npz"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            np.savez(buffer, *[ops.convert_to_numpy(w) for w in net.trainable_weights])
            write_atomically(path, buffer.getvalue())
        with np.load(path) as file:
            return [file[name] for name in file.files]

    def _evaluator_of(self, net: Any) -> Evaluator:
        """One for all epochs, unless the network is an average, which is a new one each time."""
        if self._evaluator is None or self._evaluator.network is not net:
            attack = self.run.evaluation_attack(self.run.config.eval.steps)
            size = self.run.config.eval.batch_size
            self._evaluator = Evaluator(net, attack, batch_size=size)
        return self._evaluator

    def _chosen(self, count: int) -> np.ndarray:
        """The same in every epoch, in ascending order."""
        rng = np.random.default_rng(self.run.config.seed)
        return np.sort(rng.permutation(count)[: self.run.config.analysis.samples])


def _rows(bank: Any, index: np.ndarray, labels: np.ndarray) -> np.ndarray:
    given = np.eye(bank.num_classes, dtype="float32")[labels]
    rows = bank.read(ops.convert_to_tensor(index.astype("int32")), ops.convert_to_tensor(given))
    return ops.convert_to_numpy(rows)


def _images(
    evaluator: Evaluator,
    x: Any,
    y: np.ndarray,
    index: np.ndarray,
    true: np.ndarray,
    soft: np.ndarray | None = None,
) -> Images:
    """Images, attacked, and what the network says of both."""
    images, label = as_float(x[index]), np.asarray(y)[index]
    attacked = np.concatenate([found for _, _, found in evaluator.batches(images, label)])
    logits, attacked_logits = (_logits(evaluator, part) for part in (images, attacked))
    return Images(images, attacked, label, true, logits, attacked_logits, soft, index)


def _logits(evaluator: Evaluator, images: np.ndarray) -> np.ndarray:
    size = evaluator.batch_size
    parts = [images[i : i + size] for i in range(0, len(images), size)]
    found = [evaluator.network(ops.convert_to_tensor(part), training=False) for part in parts]
    return np.concatenate([ops.convert_to_numpy(z).astype("float64") for z in found])
