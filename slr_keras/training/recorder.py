"""The Keras callback through which ``fit`` drives the records of a run."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np

from slr_keras import backend, config
from slr_keras.backend import keras
from slr_keras.protocol import events
from slr_keras.training.checkpoints import Position

REPORT_SECONDS = 0.1  # at most ten batch events a second


class _Run(Protocol):
    """What is asked of a run while it trains."""

    config: config.RunConfig
    position: Position
    batches: Any
    compiled_for: tuple[bool, ...] | None
    means_at_resume: list[tuple[Any, Any]]

    def clock(self) -> float: ...
    def listen(self) -> None: ...
    def phase(self, name: str, epoch: int = 0) -> None: ...
    def emit(self, event: events.Event) -> None: ...
    def save_checkpoint(self) -> bool: ...
    def end_epoch(self, images_per_second: float) -> events.EpochEnded: ...
    def refuse_non_finite(self, what: str) -> None: ...
    def diagnose(self, running: events.BatchEnded | None = None) -> None: ...
    def out_of_patience(self) -> bool: ...


class Callbacks(keras.callbacks.CallbackList):
    """Callbacks that get what a batch reports as tensors of the device.

    Keras' list makes numbers of them after each batch, which waits for the device: the next step
    would be prepared while nothing computes.
    """

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """As Keras', with ``logs`` as they are."""
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class Recorder(keras.callbacks.Callback):
    """Keeps the position, reports batches, checks the loss, stops and checkpoints on time.

    The loss is the mean of the epoch so far: once it is not finite it stays so, and looking ten
    times a second misses nothing.
    """

    def __init__(self, run: _Run):
        super().__init__()
        self.run = run
        self.queues = backend.device_memory() > 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Put back the running means of an epoch that goes on, then start the clocks."""
        run = self.run
        self.first, self.before = run.position.batch, run.position.seconds
        if self.first:
            for variable, value in run.means_at_resume:  # fit has just reset them
                variable.assign(value)
        run.listen()
        self.started = self.saved = self.reported = run.clock()
        self.compiles = run.compiled_for != self.model.phase
        run.phase("compiling" if self.compiles else "epoch", epoch + 1)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the position, then look at the loss, the clock and the signals."""
        run, now = self.run, self.run.clock()
        run.position = dataclasses.replace(
            run.position, batch=self.first + batch + 1, seconds=self.before + now - self.started
        )
        if self.compiles:
            self.compiles, run.compiled_for = False, self.model.phase
            run.phase("epoch", run.position.epoch)
        if not self.queues:
            float(logs["loss"])  # waits: a CPU gains nothing from steps that queue
        last = run.position.batch == run.batches.steps_per_epoch
        if now - self.reported > REPORT_SECONDS or last:
            self.reported = now
            self._refuse_non_finite(logs)
            event = self._batch_event(logs)
            run.emit(event)
            run.diagnose(event)
        run.listen()
        if now - self.saved > 60 * run.config.train.checkpoint_minutes:
            self.saved = now
            run.save_checkpoint()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Close the epoch; what was measured goes to the callbacks after this one."""
        event = self.run.end_epoch(self._speed())
        measured = {k: v for k, v in dataclasses.asdict(event).items() if k.startswith("val_")}
        logs.update({k: v for k, v in measured.items() if v is not None})
        self.model.stop_training = self.run.out_of_patience()

    def _speed(self) -> float:
        """Images per second of this epoch, evaluation left out."""
        done = self.run.position.batch - self.first
        spent = self.run.position.seconds - self.before
        return done * self.run.config.train.batch_size / max(spent, 1e-9)

    def _batch_event(self, logs: Any) -> events.BatchEnded:
        return events.BatchEnded(
            epoch=self.run.position.epoch,
            batch=self.run.position.batch,
            batches=self.run.batches.steps_per_epoch,
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            robust_accuracy=float(logs.get("robust_accuracy", "nan")),
            images_per_second=self._speed(),
        )

    def _refuse_non_finite(self, logs: Any) -> None:
        loss = float(logs["loss"])
        if not np.isfinite(loss):
            self.run.refuse_non_finite(f"the loss became {loss}")
