"""Callbacks for a plain ``keras.Model.fit``.

>>> import slr_keras as slr
>>> watch = slr.callbacks.RobustAccuracy(slr.attacks.PGD(), (x_val, y_val))  # doctest: +SKIP
>>> net.fit(x, y, epochs=30, callbacks=[watch])                              # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from slr_keras import checks, networks
from slr_keras.analysis import onset
from slr_keras.attacks._base import Attack
from slr_keras.backend import keras
from slr_keras.config import EmaSettings, RunConfig, TrainSettings
from slr_keras.diagnoses._base import Facts, Seen
from slr_keras.errors import DataError, UserError
from slr_keras.evaluation.runner import Evaluator
from slr_keras.optimizers.keras_optimizers import Adam
from slr_keras.optimizers.keras_sgd import KerasSGD
from slr_keras.protocol.events import EpochEnded
from slr_keras.settings import registry
from slr_keras.training.robust_classifier import RobustClassifier


class RobustAccuracy(keras.callbacks.Callback):
    """Clean and robust accuracy of any model while it trains, and where robust overfitting begins.

    After each ``every``-th epoch the model, in inference mode, is measured on the same images:
    ``<name>_clean_accuracy`` and ``<name>_robust_accuracy`` are added to the epoch's logs, so
    that ``History``, ``CSVLogger``, ``TensorBoard``, ``EarlyStopping(monitor=...)`` and
    ``ModelCheckpoint`` that come after it see them; NaN in epochs between.

    Robust overfitting is judged as :func:`slr_keras.analysis.onset.detect` does: robust accuracy
    has fallen, over windows of evaluations, by more than chance allows. (Where ``train`` images
    are measured as well it is overfitting only if robust accuracy rose on these.)

    The model is a classifier of any kind that takes one image input in [0, 1]; where it ends
    with a softmax, the attack is on the logits before it.

    Args:
        attack: untargeted, ``slr.attacks.PGD(eps=8/255, step_size=2/255, steps=10)`` for example.
        data: images (N, H, W, C), uint8 or floats in [0, 1], and labels, as ``(x, y)``; or
            batches of these, of which all are kept in memory.
        every: epochs from one evaluation to the next; the last epoch is always measured when
            ``fit`` says how many there are.
        train: images and labels that the model is trained on, a few hundred suffice; they add
            ``<name>_train_robust_accuracy``.
        name: what the logs are called by; two callbacks need two.
        batch_size: images at once.
        seed: of random starts: the same in each epoch.
        stop: end the training when robust overfitting is told.
        verbose: 1 prints the onset and nothing else, 0 nothing.

    Attributes:
        epochs, clean, robust, train: lists, a value for each evaluation.
        onset: :class:`slr_keras.analysis.onset.Onset` after the latest evaluation.

    Raises:
        UserError: ``every`` is less than 1, the attack is targeted, the name is taken.
        DataError: images or labels are not what models take.
        ModelError: the model is no classifier of images.

    Example:
        >>> watch = RobustAccuracy(attack, (x_val, y_val), every=5)           # doctest: +SKIP
        >>> history = net.fit(x, y, epochs=100, callbacks=[watch])            # doctest: +SKIP
        >>> watch.onset.state, watch.onset.best_epoch                         # doctest: +SKIP
        ('since', 35)
    """

    def __init__(
        self,
        attack: Attack,
        data: Any,
        every: int = 1,
        *,
        train: Any = None,
        name: str = "val",
        batch_size: int = 128,
        seed: int = 0,
        stop: bool = False,
        verbose: int = 1,
    ):
        super().__init__()
        if not isinstance(attack, Attack):
            raise UserError(f"attack: expected slr.attacks.PGD() for example, received {attack!r}")
        if getattr(attack, "targeted", False):
            raise UserError("attack: expected an untargeted one, which robust accuracy means")
        if every < 1:
            raise UserError(f"every: expected 1 or more epochs, received {every}")
        self.attack, self.every, self.name = attack, every, name
        self.batch_size, self.seed, self.stop, self.verbose = batch_size, seed, stop, verbose
        self.data, self.training_data = _pair(data), None if train is None else _pair(train)
        self.epochs: list[int] = []
        self.clean: list[float] = []
        self.robust: list[float] = []
        self.train: list[float] = []
        self.onset = onset.Onset()
        self._evaluator: Evaluator | None = None
        self._measured: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, tell, judge."""
        logs = {} if logs is None else logs
        taken = [key for key in self._keys() if key in logs]
        if taken:
            raise UserError(f"name: {self.name!r} is taken, the logs have {taken[0]}; give another")
        due = (epoch + 1) % self.every == 0 or epoch + 1 == (self.params or {}).get("epochs")
        logs.update(self._measure(epoch + 1) if due else dict.fromkeys(self._keys(), math.nan))

    def _keys(self) -> list[str]:
        kinds = ("clean", "robust", *(["train_robust"] if self.training_data else []))
        return [f"{self.name}_{kind}_accuracy" for kind in kinds]

    def _measure(self, epoch: int) -> dict[str, float]:
        evaluator = self._evaluator_of(self.model)
        found = evaluator.run(*self.data)
        figures = [found.accuracy, found.robust_accuracy or 0.0]
        if self.training_data:
            figures.append(evaluator.run(*self.training_data).robust_accuracy or 0.0)
            self.train.append(figures[2])
        self.epochs.append(epoch)
        self.clean.append(figures[0])
        self.robust.append(figures[1])
        self._judge()
        return dict(zip(self._keys(), figures, strict=True))

    def _evaluator_of(self, model: Any) -> Evaluator:
        """One for all epochs, unless the network is an average, which is a new one each time."""
        net = model.trained_network() if hasattr(model, "trained_network") else model
        if self._evaluator is None or self._measured is not net:
            for _, y in filter(None, (self.data, self.training_data)):
                checks.as_labels("y", y, networks.num_classes(net))
            self._measured = net
            self._evaluator = Evaluator(
                networks.with_logits(net), self.attack, seed=self.seed, batch_size=self.batch_size
            )
        return self._evaluator

    def _judge(self) -> None:
        before = self.onset.state
        train = self.train or [math.nan] * len(self.robust)
        self.onset = onset.detect(self.epochs, self.robust, train, len(self.data[0]))
        if self.onset.state == onset.SINCE:
            if self.verbose and before != onset.SINCE:
                print(f"\n{self.name}: {onset.headline(self.onset)}")
            self.model.stop_training |= self.stop


class Diagnoses(keras.callbacks.Callback):
    """Says in ``RobustClassifier.fit`` what goes wrong, as the trainer of the command line does.

    After each epoch every diagnosis of ``slr_keras.diagnoses`` looks at the epoch's logs; each
    speaks once. Those that need more than the logs (masked gradients) stay silent.

    Args:
        samples: images that the accuracies in the logs are of; by default the steps of an epoch
            times 32, Keras' own size of a batch.
        largest_class: share of the largest class; what guessing it gets. Default: 1 / classes.
        verbose: 1 prints what is said, 0 nothing.

    Attributes:
        told: ``{name: sentence}`` of what was said.

    Example:
        >>> watch = Diagnoses(samples=len(x_train))                           # doctest: +SKIP
        >>> model.fit(x, y, epochs=30, validation_data=..., callbacks=[watch])  # doctest: +SKIP
        >>> watch.told                                                        # doctest: +SKIP
        {'collapse': 'after epoch 3 clean accuracy is 10.2 %, no better than chance, 10.0 %: ...'}
    """

    def __init__(self, samples: int = 0, largest_class: float = 0.0, verbose: int = 1):
        super().__init__()
        self.samples, self.largest_class, self.verbose = samples, largest_class, verbose
        self.told: dict[str, str] = {}
        self._epochs: list[EpochEnded] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look at what is known before the first epoch.

        Raises:
            UserError: the model is no ``RobustClassifier``.
        """
        if not isinstance(self.model, RobustClassifier):
            raise UserError(f"Diagnoses: expected a RobustClassifier, received {self.model.name}")
        model, epochs = self.model, (self.params or {}).get("epochs", 1)
        steps = (self.params or {}).get("steps") or 1
        classes = networks.num_classes(model.net)
        samples = self.samples or 32 * steps
        chance = self.largest_class or 1 / classes
        values = math.prod(size or 1 for size in networks.input_shape(model.net)[1:])
        self._facts = Facts(classes, values, steps, samples, samples, chance)
        self._config = _config_of(model, epochs)
        self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the epoch in, then look."""
        self._epochs.append(_event(epoch + 1, self._config.train.epochs, logs or {}, self._rate()))
        self._look()

    def _rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def _look(self) -> None:
        seen = Seen(self._config, self._facts, self._epochs)
        for name, cls in registry.variants("diagnoses").items():
            said = None if name in self.told else cls().look(seen)
            if said:
                self.told[name] = said
                if self.verbose:
                    print(f"\n{cls.title}: {said}")


def _config_of(model: RobustClassifier, epochs: int) -> RunConfig:
    """What the diagnoses want to know of a model, as a run would say it."""
    kind = type(model.optimizer).__name__
    own = KerasSGD if kind == "SGD" else Adam
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    return RunConfig(
        train=TrainSettings(epochs=max(1, epochs)),
        method=model.method,
        labels=model.given_labels,
        attack=model.attack.replace(warmup_epochs=0),
        optimizer=own(learning_rate=max(rate, 1e-12)),
        ema=EmaSettings(model.ema_decay, model.ema_start_epoch, model.ema_warmup),
    )


def _event(epoch: int, epochs: int, logs: dict[str, Any], rate: float) -> EpochEnded:
    def figure(name: str) -> float | None:
        return float(logs[name]) if name in logs else None

    return EpochEnded(
        epoch=epoch,
        epochs=epochs,
        loss=figure("loss"),
        accuracy=figure("accuracy"),
        robust_accuracy=figure("robust_accuracy"),
        train_accuracy=figure("accuracy"),
        train_robust_accuracy=figure("robust_accuracy"),
        val_accuracy=figure("val_accuracy"),
        val_robust_accuracy=figure("val_robust_accuracy"),
        label_entropy=None,
        label_agreement=None,
        learning_rate=rate,
        images_per_second=0.0,
        seconds=0.0,
    )


def _pair(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images and class numbers, looked at once."""
    from slr_keras.data import _checks

    if not (isinstance(data, (tuple, list)) and len(data) == 2):
        data = _joined(data)
    x = _checks.as_images("x", data[0])
    y = checks.as_labels("y", data[1])
    if len(x) != len(y):
        raise DataError(f"data: expected a label for each image, received {len(x)} and {len(y)}")
    return np.asarray(x), y


def _joined(batches: Any) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(batches, Iterable):
        raise UserError(f"data: expected (x, y) or batches, received {type(batches).__name__}")
    images, labels = [], []
    for batch in batches:
        if not (isinstance(batch, (tuple, list)) and len(batch) >= 2):
            raise UserError("data: expected batches (x, y), received something else")
        image = batch[0]["image"] if isinstance(batch[0], dict) else batch[0]
        images.append(keras.ops.convert_to_numpy(image))
        labels.append(keras.ops.convert_to_numpy(batch[1]))
    if not images:
        raise UserError("data: expected batches (x, y), received none")
    return np.concatenate(images), np.concatenate(labels)
