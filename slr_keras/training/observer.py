"""Measures the analyses of a run (``--analysis.record``) at its evaluations."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from slr_keras import backend, config
from slr_keras.analyses._base import Images, Probe
from slr_keras.attacks.pgd import PGD
from slr_keras.backend import ops
from slr_keras.data import as_float
from slr_keras.evaluation.runner import Evaluator
from slr_keras.protocol.events import AnalysisMeasured
from slr_keras.run_folder import RunFolder, write_atomically
from slr_keras.settings import registry

Seen = tuple[np.ndarray, np.ndarray]  # numbers of samples, and their adversarial images


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
        self._forward: Any = None
        self._seen: dict[str, list[Seen]] = {}
        self.analyses = [registry.get("analyses", name)() for name in run.config.analysis.names]

    def observe(self, epoch: int, emit: Callable[[AnalysisMeasured], None]) -> None:
        """Measure all; scalars are told, arrays written to ``analysis/<name>/<epoch>.npz``."""
        if not self.analyses:
            return
        try:
            probe = self._probe()
        finally:
            self._seen.clear()
        if any(analysis.keeps_images for analysis in self.analyses):
            self._keep_images(probe)
        for analysis in self.analyses:
            scalars, arrays = analysis.measure(probe)
            if arrays:
                self._write(analysis.name, epoch, arrays)
            emit(AnalysisMeasured(epoch, analysis.name, scalars))

    def see(self, split: str, index: np.ndarray, attacked: np.ndarray) -> None:
        """Adversarial images that the evaluation of this epoch has found of ``"train"`` or
        ``"val"``, of the samples ``index`` (the first are meant): they are not attacked again."""
        if self.analyses:
            index = index[: len(attacked)]
            wanted = np.isin(index, self._chosen(len(getattr(self.run.data, f"x_{split}"))))
            self._seen.setdefault(split, []).append((index[wanted], attacked[wanted]))

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
        train = self._images(evaluator, "train", chosen, true, soft)
        if not len(data.x_val):
            val = train
        else:
            held = self._chosen(len(data.x_val))
            val = self._images(evaluator, "val", held, data.y_val[held])
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
            shape = (None, *self.run.data.input_shape)
            self._forward = backend.compiled(
                lambda x: ops.cast(net(x, training=False), "float32"), (shape, "float32")
            )
        return self._evaluator

    def _images(
        self,
        evaluator: Evaluator,
        split: str,
        index: np.ndarray,
        true: np.ndarray,
        soft: np.ndarray | None = None,
    ) -> Images:
        """Images, attacked, and what the network says of both."""
        x, y = (getattr(self.run.data, f"{name}_{split}") for name in "xy")
        images, label = as_float(x[index]), np.asarray(y)[index]
        attacked = _attacked(evaluator, images, label, index, self._seen.get(split, []))
        logits, attacked_logits = (self._logits(part) for part in (images, attacked))
        return Images(images, attacked, label, true, logits, attacked_logits, soft, index)

    def _logits(self, images: np.ndarray) -> np.ndarray:
        size = self.run.config.eval.batch_size
        parts = [images[i : i + size] for i in range(0, len(images), size)]
        found = [self._forward(ops.convert_to_tensor(part)) for part in parts]
        return np.concatenate([ops.convert_to_numpy(z).astype("float64") for z in found])

    def _chosen(self, count: int) -> np.ndarray:
        """The same in every epoch, in ascending order."""
        rng = np.random.default_rng(self.run.config.seed)
        return np.sort(rng.permutation(count)[: self.run.config.analysis.samples])


def _rows(bank: Any, index: np.ndarray, labels: np.ndarray) -> np.ndarray:
    given = np.eye(bank.num_classes, dtype="float32")[labels]
    rows = bank.read(ops.convert_to_tensor(index.astype("int32")), ops.convert_to_tensor(given))
    return ops.convert_to_numpy(rows)


def _attacked(
    evaluator: Evaluator, images: np.ndarray, label: np.ndarray, index: np.ndarray, seen: list[Seen]
) -> np.ndarray:
    """Adversarial images: those that were seen, and the others by an attack."""
    found, left = np.empty_like(images), np.ones(len(images), bool)
    for samples, rows in seen:
        at = np.searchsorted(index, samples)
        found[at], left[at] = rows, False
    if left.any():
        parts = [part for *_, part in evaluator.batches(images[left], label[left])]
        found[left] = np.concatenate(parts)
    return found
