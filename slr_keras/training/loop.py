"""A run from configuration to summary: the caller of ``RobustClassifier.fit``."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from slr_keras import backend, data, saving
from slr_keras import config as configs
from slr_keras.attacks.pgd import PGD
from slr_keras.backend import keras, ops
from slr_keras.errors import NonFiniteLossError, UserError
from slr_keras.evaluation.runner import Evaluator
from slr_keras.models import _freezing
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder
from slr_keras.settings import schema
from slr_keras.training import catastrophe, failing, precision
from slr_keras.training.awp import AWP
from slr_keras.training.checkpoints import Checkpoints, Position
from slr_keras.training.closing import finish
from slr_keras.training.control import Control, Interrupted
from slr_keras.training.crew import Crew
from slr_keras.training.diagnosing import Diagnosing
from slr_keras.training.epoch_mean import batched
from slr_keras.training.observer import Observer
from slr_keras.training.recorder import REPORT_SECONDS, Callbacks, Recorder
from slr_keras.training.robust_classifier import RobustClassifier
from slr_keras.training.trackers import Tracker

Report = Callable[[events.Event], None]
KEEP_SECONDS = 30.0
SPLITS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")


class Run:
    """One run: builds everything from the configuration, trains, tests, writes the folder.

    Args:
        config: what to run.
        folder: where; already created.
        report: receives every event, after it was written to the folder.
        control: what signals and the window ask.
        crew: the processes that share the run; all but the first write nothing into the folder.
    """

    def __init__(
        self,
        config: configs.RunConfig,
        folder: RunFolder,
        report: Report,
        control: Control,
        crew: Crew | None = None,
    ):
        self.config, self.folder, self.report, self.control = config, folder, report, control
        self.crew = crew or Crew()
        self.checkpoints = Checkpoints(folder["checkpoints"], config.train.keep_checkpoints)
        self.position = self.checkpoints.newest_position()
        self.saved_position: Position | None = None
        self.ready = False  # whether there is a model that stands at the position
        self.closing = False  # whether this process goes on alone, to test and to write
        self.compiled_for: tuple[bool, ...] | None = None  # the phase of the compiled step
        self.catastrophe: events.CatastrophicOverfitting | None = None
        self.tracker: Tracker | None = None
        self.measured = ""  # the attack's arithmetic, where it was measured
        self.seconds_paused = self.progress_reported = 0.0
        self.event_written = time.monotonic()

    # -- events -------------------------------------------------------------------------------

    def emit(self, event: events.Event) -> None:
        """Write an event to the folder (what passes by excepted), then report it."""
        if self.crew.first and self._lasts(event):
            self.event_written = time.monotonic()
            self._attempt(lambda: self.folder.append(event), "events.jsonl")
        self.report(event)

    def _lasts(self, event: events.Event) -> bool:
        """Whether an event is kept; of batches one each half minute in which nothing else is."""
        if isinstance(event, events.BatchEnded):
            return time.monotonic() - self.event_written >= KEEP_SECONDS
        return not isinstance(event, events.Progress)

    def _attempt(self, write: Callable[[], Any], what: str) -> bool:
        """Write to disk; on failure say so and train on, nothing that exists is lost."""
        try:
            write()
            return True
        except OSError as error:
            self.report(
                events.Warned(
                    f"cannot write {what}: {error.strerror or error}. Training goes on and it is "
                    "tried again; free some space."
                )
            )
            return False

    def phase(self, name: str, epoch: int = 0) -> None:
        """Say what happens from now on."""
        self.emit(events.PhaseStarted(name, epoch))

    def progress(self, phase: str, done: int, total: int) -> None:
        """After a batch of an evaluation: report it, at most ten times a second, and listen."""
        now = time.monotonic()
        if now - self.progress_reported > REPORT_SECONDS or done == total:
            self.progress_reported = now
            self.emit(events.Progress(phase, done, total))
        self.listen()

    # -- what is asked from outside -----------------------------------------------------------

    def clock(self) -> float:
        """Seconds that pass while the run is not paused."""
        return time.monotonic() - self.seconds_paused

    def listen(self) -> None:
        """Between batches: wait or leave, with a checkpoint, if a signal or the window asks."""
        control = self.control
        control.listen(self.position.epoch, self.position.batch)
        due = self.ready and not control.leaving and control.pause_is_due()
        leaving, pause = self._crew_now.agree(control, due)
        if pause:
            self._pause()
            leaving, _ = self._crew_now.agree(control, False)
        if leaving:
            self._leave(leaving)

    @property
    def _crew_now(self) -> Crew:
        return Crew() if self.closing else self.crew

    def _pause(self) -> None:
        begin, here = time.monotonic(), (self.position.epoch, self.position.batch)
        self.save_checkpoint()
        self.control.paused = True
        self.emit(events.Paused(*here))
        while self._crew_now.waits(self.control):
            self.control.listen(*here, wait=True)
        self.control.paused = False
        self.seconds_paused += time.monotonic() - begin
        if not self.control.leaving:
            self.emit(events.Continued(*here))

    def _leave(self, reason: str) -> NoReturn:
        if self.control.discarding:
            saved = "nothing more was saved"
        elif not self.ready or self.save_checkpoint():
            saved = "state saved"
        else:
            saved = "its state could not be saved"
        self.emit(events.RunStopped(reason, self.position.epoch, self.position.batch))
        raise Interrupted(reason, saved, self.control.code)

    # -- building -----------------------------------------------------------------------------

    def build(self) -> None:
        """Data, model, optimiser."""
        config = self.config
        self.listen()
        backend.make_deterministic()
        wanted = "all" if self.crew.count > 1 else config.devices
        self.devices = device_count(wanted, config.train.batch_size)
        keras.utils.set_random_seed(config.seed)
        keras.config.set_dtype_policy(config.precision)
        self.phase("loading data")
        self._load_data()
        self.listen()
        self.phase("building")
        self._make_batches()
        self._make_model()
        averaging = self.model.weight_average is not None
        self.evaluator = Evaluator(
            self.model.logits if averaging else self.model.net,
            self.evaluation_attack(config.eval.steps),
            batch_size=config.eval.batch_size,
        )
        self.observer = Observer(self)
        self.diagnosing = Diagnosing(self)

    def _load_data(self) -> None:
        """The data set and what is to be said before training; every process has the same."""
        config = self.config
        self.data = data.load(config.data, config.seed)
        self.writes_tensorboard, notes = config.train.tensorboard and self.crew.first, []
        missing = [m for m in ("tensorflow", "tensorboard") if not importlib.util.find_spec(m)]
        if self.writes_tensorboard and missing:
            self.writes_tensorboard = False
            notes = [f"no TensorBoard logs are written: {missing[0]} is not installed"]
        notes += [*config.warnings(), *self.data.notes, backend.unused_gpu()]
        for note in filter(None, notes):
            self.emit(events.Warned(note))
        if config.train.patience and not len(self.data.x_val):
            raise UserError(f"train.patience: {configs.NO_VALIDATION}")
        self.data_digest = digest(self.data.x_train, self.data.y_train)
        if self.crew.count > 1:
            everything = digest(*(getattr(self.data, name) for name in SPLITS))
            self.crew.require_equal("their data", everything, "give all the same files")

    def _make_batches(self) -> None:
        config = self.config
        self.batches = data.Batches(
            self.data.x_train,
            self.data.y_train,
            batch_size=config.train.batch_size,
            seed=config.seed,
            augment=config.data.augment,
            shares=self.devices,
            part=(self.crew.index, self.crew.count),
            placed=images_on_device(config.data.place, self.data.x_train),
        )
        if self.batches.left_out:
            self.emit(events.Warned(self.batches.left_out))

    def _make_model(self) -> None:
        config, x_train = self.config, self.data.x_train
        with backend.on_devices(self.devices):
            net = config.model.build(self.data.input_shape, self.data.num_classes)
            images = self.batches.x if self.batches.placed else None
            config = self._settle_precision(net)
            self.model = make_classifier(net, config, len(x_train), images)
            self.model.compile(optimizer=self._optimizer())
            self.model.optimizer.build(self.model.trainable_variables)
        self.model.steps_per_epoch = self.batches.steps_per_epoch
        self.model.statistics_images = lambda: batched(x_train, config.eval.batch_size)
        if self.model.label_bank is not None:
            self.model.label_bank.fill(self.data.y_train)

    def _settle_precision(self, net: Any) -> configs.RunConfig:
        """``attack_precision = "auto"`` becomes what is faster here, in the folder as well."""
        if self.config.attack_precision == "auto":
            count = self.config.train.batch_size // self.devices
            choice = precision.choose(net, (count, *self.data.input_shape))
            self.measured = f"attack_precision {choice.precision}: {choice.reason}"
            self.config = self.config.replace(attack_precision=choice.precision)
            self._attempt(lambda: self.folder.configure(self.config), "config.toml")
        return self.config

    def _optimizer(self) -> Any:
        config = self.config
        rate = config.schedule.build(
            config.optimizer.learning_rate, config.train.epochs, self.batches.steps_per_epoch
        )
        return config.optimizer.build(rate)

    def evaluation_attack(self, steps: int) -> PGD:
        """PGD in the ball of training, with its step size where it has one."""
        attack = self.config.attack
        size = getattr(attack, "step_size", attack.eps / 4 or 1 / 255)
        return PGD(norm=attack.norm, eps=attack.eps, step_size=size, steps=steps)

    def identity(self) -> dict[str, str]:
        """What a checkpoint must have in common with the run that goes on from it."""
        return {"configuration": configs.plain_text(self.config), "training data": self.data_digest}

    def restore(self) -> tuple[int, int] | None:
        """Go to the newest checkpoint; returns its position, None at the start."""
        position, notes = self.checkpoints.load(
            self.model, self.identity(), {"configuration": configs.renewed}
        )
        for note in notes:
            self.emit(events.Warned(note))
        self.position = position or Position()
        self.crew.require_equal(
            "the checkpoint they read", repr(position), "all must see the same run folder"
        )
        self.means_at_resume = [
            (v, ops.convert_to_numpy(v)) for metric in self.model.metrics for v in metric.variables
        ]
        if self.crew.first:
            self.folder.forget_after(self.position.epoch - 1)
            self.catastrophe = self.folder.catastrophe()
            self.diagnosing.restore()
        return None if position is None else (position.epoch, position.batch)

    # -- training -----------------------------------------------------------------------------

    def execute(self, resume: bool = False) -> dict[str, Any]:
        """The whole run; returns the summary, which is empty in all processes but the first.

        Raises:
            Interrupted: asked to stop, state saved.
            NonFiniteLossError: the loss became NaN or infinite.
        """
        self.build()
        resumed_at = self.restore() if resume else None
        self.ready = True
        self.emit(self._started(resumed_at))
        self.diagnose()
        with self._tracked():
            self._fit()
        self.listen()
        if not self.crew.first:
            return {}
        self.closing = True
        with self.crew.alone():
            summary = finish(self)
        self.emit(events.RunEnded(summary))
        return summary

    def _started(self, resumed_at: tuple[int, int] | None) -> events.RunStarted:
        config = self.config
        return events.RunStarted(
            run_dir=str(self.folder.path),
            method=config.method.name,
            model=config.model.name,
            dataset=config.data.name,
            parameters=sum(int(np.prod(v.shape)) for v in self.model.trainable_variables),
            epochs=config.train.epochs,
            steps_per_epoch=self.batches.steps_per_epoch,
            device=f"{self.devices} x " * (self.devices > 1) + backend.describe_device(),
            versions={"keras": keras.__version__, **backend.versions()},
            resumed_at=resumed_at,
            attack=self.measured,
        )

    def _fit(self) -> None:
        """``fit`` from the position on: the rest of a begun epoch, then whole epochs."""
        steps, epochs = self.batches.steps_per_epoch, self.config.train.epochs
        if 0 < self.position.batch < steps:
            self._fit_epochs(self.position.epoch, self.position.epoch)
        elif self.position.batch == steps:
            self.model.begin_epoch(self.position.epoch)
            self.model.end_epoch()
            self.end_epoch(float("nan"))
        if self.position.epoch <= epochs and not self.out_of_patience():
            self._fit_epochs(self.position.epoch, epochs)
        if self.out_of_patience():
            self.emit(events.Warned(self._patience_said()))

    def _patience_said(self) -> str:
        return (
            f"ended after epoch {self.position.epoch - 1}: robust accuracy on validation images "
            f"was best in epoch {self.position.best_epoch}, train.patience "
            f"{self.config.train.patience}"
        )

    def _fit_epochs(self, first: int, last: int) -> None:
        steps, begun = self.batches.steps_per_epoch, self.position.batch
        recorder = Recorder(self)
        extra = [self._tensorboard()] if self.writes_tensorboard else []
        extra += [self.tracker] if self.tracker else []
        with self.batches.feeding():
            self.model.fit(
                backend.feed(self.batches, first, begun),
                initial_epoch=first - 1,
                epochs=last,
                steps_per_epoch=steps - begun,
                shuffle=False,
                callbacks=Callbacks([recorder, *extra], add_history=True, model=self.model),
                verbose=0,
            )

    @contextlib.contextmanager
    def _tracked(self) -> Iterator[None]:
        """With the tracker that was asked for, which is told how it ended."""
        name, well = self.config.train.tracker, False
        if name != "none" and self.crew.first:
            settings = schema.to_dict(self.config)
            warn = lambda text: self.emit(events.Warned(text))  # noqa: E731
            self.tracker = Tracker(name, self.folder, settings, warn)
        try:
            yield
            well = True
        finally:
            if self.tracker is not None:
                self.tracker.close(well)

    def _tensorboard(self) -> Any:
        return keras.callbacks.TensorBoard(str(self.folder["tensorboard"]), write_graph=False)

    def save_checkpoint(self) -> bool:
        """Write a checkpoint at the position; a full disk is reported, not fatal."""
        if self.position == self.saved_position:
            return True
        begun = time.monotonic()
        backend.synchronise(self.model)
        self._check_weights()
        if not self.crew.first:
            self.saved_position = self.position
            return True

        def write() -> None:
            path = self.checkpoints.save(self.model, self.position, self.identity())
            self.saved_position = self.position
            shown = f"checkpoints/{path.name}"
            self.emit(events.CheckpointSaved(self.position.epoch, self.position.batch, shown))

        written = self._attempt(write, "a checkpoint")
        self.control.reserve = max(self.control.reserve, 2 * (time.monotonic() - begun))
        return written

    def _check_weights(self) -> None:
        """The loss of a step is from before its update: it cannot tell that this one failed."""
        if not all(np.isfinite(weight).all() for weight in self.model.net.get_weights()):
            self.refuse_non_finite("a weight became NaN or infinite")

    def refuse_non_finite(self, what: str) -> NoReturn:
        """Record and raise; the checkpoints on disk are from before."""
        epoch, batch = self.position.epoch, self.position.batch
        rate = self._learning_rate()
        known = failing.last_good(self) if self.crew.count == 1 else ""
        message = (
            f"{what} in epoch {epoch}, batch {batch}, learning rate {rate:.3g}.{known} Try a lower "
            "--optimizer.learning_rate, or --optimizer.clip_norm 1"
        )
        self.emit(events.NonFiniteLoss(epoch, batch, message))
        raise NonFiniteLossError(message)

    def end_epoch(self, images_per_second: float) -> events.EpochEnded:
        """Evaluate, record, keep the best, checkpoint; the position moves to the next epoch."""
        epoch = self.position.epoch
        self._check_weights()
        self.listen()
        means = {metric.name: float(metric.result()) for metric in self.model.metrics}
        train, val = self._evaluate(epoch)
        event = self._epoch_event(means, train, val, images_per_second)
        learned = not self.diagnosing.at_chance(event)
        if self._is_better(val[1], learned) and self._save_best():
            self.position = dataclasses.replace(
                self.position, best_epoch=epoch, best_robust_accuracy=val[1], learned=learned
            )
        self.emit(event)
        self._tell_catastrophe(event)
        if self.crew.first:
            self.diagnosing.end_epoch(event, self.position.seconds)
        if event.train_accuracy is not None:
            self._attempt(lambda: self.observer.observe(epoch, self.emit), "analysis")
        if self.crew.first:
            self._attempt(self.folder.write_history, "history.csv")
        self.position = dataclasses.replace(self.position, epoch=epoch + 1, batch=0)
        self.save_checkpoint()
        return event

    def _is_better(self, robust: float | None, learned: bool) -> bool:
        """Than the best so far; an epoch at chance is never better than one that is not."""
        best = self.position
        if robust is None:
            return False
        if not best.best_epoch or learned == best.learned:
            return robust > best.best_robust_accuracy
        return learned

    def diagnose(self, running: events.BatchEnded | None = None) -> None:
        """Say what goes wrong, if something does."""
        if self.crew.first:
            self.diagnosing.look(running)

    def out_of_patience(self) -> bool:
        """Whether robust accuracy on validation images was best so long ago that the run ends."""
        patience, done = self.config.train.patience, self.position.epoch - 1
        return bool(patience and self.position.best_epoch and done < self.config.train.epochs) and (
            done - self.position.best_epoch >= patience
        )

    def _tell_catastrophe(self, event: events.EpochEnded) -> None:
        """Once: a run that was resumed knows what was told before."""
        measured = event.train_robust_accuracy is not None
        if measured and self.catastrophe is None and self.crew.first:
            earlier = [e for e in self.folder.epochs() if e.epoch < event.epoch]
            samples = self.config.eval.train_samples or len(self.data.x_train)
            samples = min(samples, len(self.data.x_train))
            chance = self.diagnosing.facts.largest_class
            self.catastrophe = catastrophe.detect([*earlier, event], samples, chance)
            if self.catastrophe is not None:
                self.emit(self.catastrophe)

    def _save_best(self) -> bool:
        if not self.crew.first:
            return True
        with self.crew.alone():
            return self._attempt(self._write_best, "best.keras")

    def _write_best(self) -> None:
        with _freezing.thawed(self.model.net):
            saving.save_network(self.model.trained_network(), self.folder["best.keras"])

    def _evaluate(self, epoch: int) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        nothing = (None, None)
        if epoch % self.config.eval.every and epoch != self.config.train.epochs:
            return nothing, nothing
        self.phase("evaluating", epoch)
        settings, d = self.config.eval, self.data
        train = self._accuracy("train", d.x_train, d.y_train, settings.train_samples)
        if not len(d.x_val):
            return train, nothing
        return train, self._accuracy("val", d.x_val, d.y_val, settings.val_samples)

    def _accuracy(self, split: str, x: Any, y: Any, samples: int) -> tuple[float, float | None]:
        """Clean and robust accuracy on a fixed subset."""
        chosen = self.chosen(x, samples)
        result = self.evaluator.run(
            x[chosen],
            y[chosen],
            lambda done: self.progress("evaluating", done, len(chosen)),
            lambda first, attacked: self.observer.see(split, chosen[first:], attacked),
        )
        return result.accuracy, result.robust_accuracy

    def chosen(self, x: Any, samples: int) -> np.ndarray:
        """Indices of the images that are looked at, the same in every epoch, in order."""
        count = min(samples or len(x), len(x))
        return np.sort(np.random.default_rng(self.config.seed).permutation(len(x))[:count])

    def _epoch_event(
        self, means: dict[str, float], train: Any, val: Any, images_per_second: float
    ) -> events.EpochEnded:
        bank = self.model.label_bank
        statistics = bank and bank.statistics(self.data.y_train)
        adversarial = self.config.method.adversarial
        return events.EpochEnded(
            epoch=self.position.epoch,
            epochs=self.config.train.epochs,
            loss=means["loss"],
            accuracy=means["accuracy"],
            robust_accuracy=means["robust_accuracy"] if adversarial else None,
            train_accuracy=train[0],
            train_robust_accuracy=train[1],
            val_accuracy=val[0],
            val_robust_accuracy=val[1],
            label_entropy=statistics.entropy if statistics else 0.0,
            label_agreement=statistics.agreement if statistics else 1.0,
            learning_rate=self._learning_rate(),
            images_per_second=images_per_second,
            seconds=round(self.position.seconds, 3),
        )

    def _learning_rate(self) -> float:
        """The rate of the last step."""
        schedule = self.model.optimizer.get_config()["learning_rate"]
        if not isinstance(schedule, dict):
            return float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        schedule = keras.optimizers.schedules.deserialize(schedule)
        last = int(ops.convert_to_numpy(self.model.optimizer.iterations)) - 1
        return float(ops.convert_to_numpy(schedule(max(last, 0))))


def digest(*arrays: Any) -> str:
    """SHA-256 of arrays' contents; of streamed images it reads no pixels."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(data.content(array))
    return total.hexdigest()


def images_on_device(place: str, images: Any) -> bool:
    """Whether training images wait on the device; ``place`` as in ``data.place``."""
    loaded = isinstance(images, np.ndarray)
    if place == "auto":
        return loaded and images.nbytes * 4 <= backend.device_memory()
    if place == "device" and not loaded:
        raise UserError(
            "data.place: expected images in memory to put on the device, received streamed ones; "
            "leave it out, or set data.stream off"
        )
    return place == "device"


def device_count(wanted: str, batch_size: int) -> int:
    """The number behind ``--devices``.

    Raises:
        UserError: more than there are, or a batch that cannot be shared evenly.
    """
    there = backend.devices()
    count = len(there) if wanted == "all" else int(wanted)
    if count > len(there):
        raise UserError(
            f"devices: expected 1 to {len(there)} ({backend.name()} has {', '.join(there)}), "
            f"received {count}"
        )
    if batch_size % count:
        raise UserError(
            f"train.batch_size: {batch_size} images cannot be shared evenly by {count} devices; "
            f"try {batch_size // count * count or count}"
        )
    return count


def make_classifier(
    net: Any, config: configs.RunConfig, num_samples: int, images: np.ndarray | None = None
) -> RobustClassifier:
    """The Keras model of a configuration around a network; with ``images`` on the device."""
    return RobustClassifier(
        net,
        num_samples=num_samples,
        method=config.method,
        labels=config.labels,
        attack=config.attack,
        attack_dtype=None if config.attack_precision == "same" else config.attack_precision,
        label_bank_dtype=config.label_bank.dtype,
        label_bank_top_k=config.label_bank.top_k,
        label_bank_place=config.label_bank.place,
        images=images,
        ema_decay=config.ema.decay,
        ema_start_epoch=config.ema.start_epoch,
        ema_warmup=config.ema.warmup,
        swa_start_epoch=config.swa.start_epoch,
        freeze_epochs=getattr(config.model, "freeze_epochs", 0),
        awp=AWP(gamma=config.weights.awp, start_epoch=config.weights.awp_start_epoch),
        seed=config.seed,
    )


def train(
    config: configs.RunConfig,
    folder: RunFolder,
    report: Report,
    resume: bool = False,
    control: Control | None = None,
    crew: Crew | None = None,
) -> Any:
    """Execute a run; returns its summary. See :class:`Run`."""
    return Run(config, folder, report, control or Control(), crew).execute(resume)
