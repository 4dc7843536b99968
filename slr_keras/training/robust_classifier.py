"""``RobustClassifier``: adversarial training behind the Keras interface users know."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from slr_keras import backend, losses, networks, saving
from slr_keras.attacks._base import Attack
from slr_keras.attacks._numbers import seeded
from slr_keras.attacks._objective import Objective
from slr_keras.attacks.pgd import PGD
from slr_keras.backend import keras, ops
from slr_keras.checks import (
    check_classifier,
    check_images,
    check_labels,
    class_numbers,
    given_rows,
)
from slr_keras.data import as_float
from slr_keras.data._checks import as_images
from slr_keras.errors import DataError, UserError
from slr_keras.export_formats import OF_KERAS
from slr_keras.inference import InferenceNetwork
from slr_keras.labels._base import Labels
from slr_keras.labels.hard import Hard
from slr_keras.methods._base import Method, Outputs
from slr_keras.methods.slr import SLR
from slr_keras.models import _freezing
from slr_keras.settings import registry, schema
from slr_keras.training import index_check, step
from slr_keras.training.attack_warmup import AttackWarmup
from slr_keras.training.awp import AWP
from slr_keras.training.epoch_mean import EpochMean, batched
from slr_keras.training.image_bank import ImageBank
from slr_keras.training.label_bank import LabelBank
from slr_keras.training.user_metrics import OURS, UserMetrics
from slr_keras.training.weight_average import WeightAverage

Tensor = Any
PROBE_SHARE = (
    4  # clean accuracy is measured on a quarter of a batch where the step has no clean pass
)


@keras.saving.register_keras_serializable("slr_keras")
class RobustClassifier(backend.TrainStep, keras.Model):
    """A Keras classifier that trains on its own adversarial examples.

    ``compile``, ``fit``, ``evaluate``, ``predict``, ``save`` and callbacks work as Keras
    documents them. ``fit`` on arrays adds each sample's index by itself; a data set must
    yield ``({"image": x, "index": i}, label)`` when the method refines labels. Labels are class
    numbers or rows (N, K) that sum to 1: soft rows are what the loss compares with and what the
    label bank begins with; attack and accuracies take the row's largest class.

    Training reports ``loss``, ``accuracy`` (clean) and ``robust_accuracy`` of the batches as
    they were trained on. Where the method makes no clean pass, ``accuracy`` is that of the
    first quarter of each batch in inference mode. ``evaluate`` runs in inference mode and
    reports the method's loss with the given labels and both accuracies.

    Args:
        net: Keras model from images (B, H, W, C) in [0, 1] to logits (B, K): functional, sequential
            or subclassed.
        num_samples: size N of the training set, needed by methods that refine labels.
        method: one of ``slr_keras.methods``: the outer loss, and what the attack raises.
        labels: one of ``slr_keras.labels``: what the loss compares with. Default: the given labels
            (``methods.SLR`` brings its own).
        attack: untargeted attack of the training step, one of ``slr_keras.attacks``.
        evaluation_attack: attack of ``evaluate``; by default the one of training.
        attack_dtype: ``"bfloat16"`` runs the attack alone in bfloat16; default: as the network.
        label_bank_dtype, label_bank_top_k, label_bank_place: see :class:`LabelBank`.
        images: training images (N, H, W, C), uint8 or float32 in [0, 1], to be put on the device.
            Batches then name them by ``"index"`` alone, as those of
            ``slr_keras.data.Batches(..., placed=True)`` do, which the step augments as well.
            No file contains them; evaluation still takes images.
        ema_decay: d in (0, 1) evaluates, saves and exports the moving average of the weights,
            see :class:`~slr_keras.training.weight_average.WeightAverage`; 0: no average.
        ema_start_epoch: first epoch, from 1, whose steps are averaged.
        swa_start_epoch: first epoch, from 1, whose weights at its end are part of a mean, which is
            evaluated, saved and exported, see
            :class:`~slr_keras.training.epoch_mean.EpochMean`; 0: none.
        awp: adversarial weight perturbation, see :class:`~slr_keras.training.awp.AWP`.
        freeze_epochs: first epochs in which the head alone is trained, the last dense layer or 1x1
            convolution. The rest stays as it is, its BatchNorm in inference mode; after ``fit`` all
            is trainable as before.
        input_shape: (H, W, C), to build a network that is not built yet; a built one knows it.
        seed: fixes the attack's random starts.
        ema_warmup: the average's decay at its step t is at most (1 + t) / (10 + t).

    Attributes:
        label_bank: soft labels of the training set, or None if the labels need none;
            ``model.label_bank.labels`` has shape (N, K).
        statistics_images: function that gives the training images in batches, from which the
            BatchNorm statistics of ``swa_start_epoch``'s mean are estimated; None: those that
            ``fit`` was given, unless they come from a generator.
        steps_per_epoch: number of steps of an epoch, which the attack's ``warmup_epochs`` are
            counted in; None: as ``fit`` says.
        teacher: the moving average of the weights that labels learn from, or None.
        image_bank: ``images`` on the device, else None.

    Raises:
        ModelError: the network has no logits or not one row of them per image.
        UserError: parts that do not go together, or an attack that needs more classes.

    Example:
        >>> model = RobustClassifier(net, num_samples=50_000,              # doctest: +SKIP
        ...     method=SLR(start_epoch=90), attack=PGD(eps=8/255))
        >>> model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=5e-4))
        >>> model.fit(x_train, y_train, batch_size=128, epochs=200)        # doctest: +SKIP
    """

    def __init__(
        self,
        net: Any,
        num_samples: int | None = None,
        method: Method | None = None,
        attack: Attack | None = None,
        evaluation_attack: Attack | None = None,
        attack_dtype: str | None = None,
        label_bank_dtype: str = "float32",
        label_bank_top_k: int = 0,
        label_bank_place: str = "device",
        images: np.ndarray | None = None,
        ema_decay: float = 0.0,
        ema_start_epoch: int = 1,
        labels: Labels | None = None,
        awp: AWP | None = None,
        swa_start_epoch: int = 0,
        freeze_epochs: int = 0,
        seed: int = 0,
        input_shape: tuple[int | None, ...] | None = None,
        ema_warmup: bool = True,
        **options: Any,
    ):
        super().__init__(**options)
        if input_shape is not None:
            networks.build(net, tuple(input_shape))
        check_classifier(net)
        self.net, self.num_samples = net, num_samples
        self.method, self.attack = method or SLR(), attack or PGD()
        self.given_labels = labels or Hard()
        self.labels = self.method.scheme(self.given_labels)
        self.method.check_attack(self.attack, self.labels)
        self.evaluation_attack = evaluation_attack or self.attack
        for one in (self.attack, self.evaluation_attack):
            one.check_classes(networks.num_classes(net))
        if self.attack.targeted or self.evaluation_attack.targeted:
            raise UserError("attack.targeted: training and evaluation need an untargeted attack")
        self.attack_dtype, self.seed = attack_dtype, seed
        self.label_bank_dtype, self.label_bank_top_k = label_bank_dtype, label_bank_top_k
        self.label_bank_place = label_bank_place
        self.inference = InferenceNetwork(net, attack_dtype or net.compute_dtype)
        self.label_bank = self._make_bank() if self.labels.refines else None
        self.ema_decay, self.ema_start_epoch = ema_decay, ema_start_epoch
        self.ema_warmup = ema_warmup
        self.steps_per_epoch: int | None = None
        warmup = self.attack.warmup_epochs
        self.warmup = AttackWarmup(warmup) if warmup else None
        self.awp = awp or AWP(gamma=0.0)
        self.swa_start_epoch, self.freeze_epochs = swa_start_epoch, freeze_epochs
        self.weight_average = self._make_average()
        self.statistics_images: Callable[[], Iterable[Any]] | None = None
        self._fitted_on: Callable[[], Iterable[Any]] | None = None
        self.teacher = self._make_teacher() if self.labels.teacher else None
        self.epoch_now = self._clock() if self.labels.timed else None
        self.image_bank = None if images is None else self._place(images)
        self.attack_seed, self.evaluation_seed = seeded(seed), seeded(seed + 1)
        self._enter(1)
        self.trackers = [keras.metrics.Mean(name) for name in OURS]
        self.user_metrics = UserMetrics()
        self.build(networks.input_shape(net))

    @property
    def _scheme_name(self) -> str:
        kind = "method" if id(self.labels) == id(self.method) else "label scheme"
        return f"{kind} {self.labels.name!r}"

    def _make_bank(self) -> LabelBank:
        if not self.num_samples:
            raise UserError(
                f"num_samples: {self._scheme_name} keeps a soft label for each training "
                "sample and needs their number. Pass num_samples=len(x_train)."
            )
        return LabelBank(
            self.num_samples,
            networks.num_classes(self.net),
            self.label_bank_dtype,
            self.label_bank_top_k,
            self.label_bank_place,
        )

    def _make_average(self) -> WeightAverage | None:
        if self.ema_decay and self.swa_start_epoch:
            raise UserError("ema_decay and swa_start_epoch: one average is evaluated, not two")
        if self.swa_start_epoch:
            return EpochMean(self.net)
        if not self.ema_decay:
            return None
        return WeightAverage(self.net, self.ema_decay, warmup=self.ema_warmup)

    def _make_teacher(self) -> WeightAverage:
        teacher = WeightAverage(self.net, self.labels.teacher, name="teacher")
        teacher.active.assign(1.0)
        return teacher

    def _clock(self) -> Any:
        """The epoch as a weight, so that what depends on it is compiled once."""
        return self.add_weight(
            name="epoch",
            shape=(),
            initializer="ones",
            trainable=False,
            autocast=False,
            dtype="float32",
            aggregation="only_first_replica",
        )

    def _place(self, images: np.ndarray) -> ImageBank:
        images = as_images("images", images)
        check_images(as_float(images[:1]), networks.input_shape(self.net))
        self._check_count(images)
        return ImageBank(images)

    def build(self, input_shape: Any) -> None:
        """Nothing is left to build: the network is built when it comes."""
        self.built = True

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Logits (B, K) of images (B, H, W, C), or of the ``image`` entry of a dictionary."""
        if training:
            return self.net(_image(images), training=True)
        return self.logits(_image(images))

    def logits(self, images: Tensor) -> Tensor:
        """Logits (B, K) of images (B, H, W, C) in inference mode, of the averaged weights if any.

        This is the network that ``evaluate`` and ``predict`` see and ``export`` writes.
        """
        if self.weight_average is None:
            return self.net(images, training=False)
        return self.weight_average.logits(self.net, images)

    def trained_network(self) -> Any:
        """The network to evaluate and to keep: ``net``, or one with the averaged weights."""
        if self.weight_average is None:
            return self.net
        return self.weight_average.network(self.net)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """As Keras' ``compile``, without ``loss`` (the method has its own).

        Each of ``metrics`` is computed on clean logits and, named ``robust_...``, on robust ones;
        in training, methods without a clean pass show them a quarter of the clean images.

        ``jit_compile="auto"`` is on with JAX alone: XLA is several times slower on CPU.

        Raises:
            UserError: a loss, or metrics that are none.
        """
        if loss is not None or loss_weights is not None:
            raise UserError("compile(loss=...): the method brings its loss; leave it out")
        self.user_metrics = UserMetrics(metrics, weighted_metrics)
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=backend.JIT_COMPILE if jit_compile == "auto" else jit_compile,
            auto_scale_loss=auto_scale_loss,
        )

    def get_compile_config(self) -> dict[str, Any] | None:
        """Optimiser and metrics, for ``save``; None before ``compile``."""
        if not self.compiled:
            return None
        optimizer = keras.saving.serialize_keras_object(self.optimizer)
        return {"optimizer": optimizer, **self.user_metrics.config()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """The inverse of ``get_compile_config``."""
        optimizer = keras.saving.deserialize_keras_object(config["optimizer"])
        given = UserMetrics.from_config(config).given
        self.compile(optimizer, None, None, given["metrics"], given["weighted_metrics"])
        self.optimizer.build(self.trainable_variables)

    def save_own_variables(self, store: Any) -> None:
        """Adds the state of the attack's random starts, which Keras leaves out."""
        super().save_own_variables(store)
        store["attack_seed"] = ops.convert_to_numpy(self.attack_seed.state)

    def load_own_variables(self, store: Any) -> None:
        """The inverse of ``save_own_variables``."""
        values = dict(store)
        if "attack_seed" in values:
            self.attack_seed.state.assign(values.pop("attack_seed"))
        super().load_own_variables(values)

    @property
    def metrics(self) -> list[Any]:
        """Loss, clean and robust accuracy, and those of ``compile``."""
        return [*self.trackers, *self.user_metrics]

    def begin_epoch(self, epoch: int) -> None:
        """Enter an epoch, counted from 1. ``fit`` calls this; own loops must.

        When refinement or perturbation sets in, or what was frozen is let go, the step changes and
        is compiled once more.
        """
        before = self.phase
        self._enter(epoch)
        self._freeze(epoch <= self.freeze_epochs)
        if self.warmup is not None:
            self.warmup.begin(self.steps_per_epoch)
        if self.weight_average is not None:
            self.weight_average.active.assign(float(epoch >= self.ema_start_epoch))
        if self.phase != before:
            self.make_train_function(force=True)

    def _freeze(self, wanted: bool) -> None:
        """Hold all but the head still, or let it go.

        The optimiser is built on all of it before: it takes no variables that it does not know.
        """
        if wanted and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        (_freezing.freeze if wanted else _freezing.thaw)(self.net)

    def end_epoch(self) -> None:
        """Leave the epoch, its weights part of a mean where there is one. ``fit`` calls this.

        Raises:
            UserError: there are no images to estimate the statistics of the mean from.
        """
        number = self.epoch - self.swa_start_epoch + 1
        if not isinstance(self.weight_average, EpochMean) or number < 1:
            return
        backend.synchronise(self)
        images = self.statistics_images or self._fitted_on
        if images is None:
            raise UserError(
                "swa_start_epoch: a generator's images cannot be read again to estimate BatchNorm "
                "statistics. Set model.statistics_images to a function that gives them in batches"
            )
        self.weight_average.end_epoch(self.net, number, images())

    def end_training(self) -> None:
        """Let go what was frozen. ``fit`` calls this; own loops must."""
        if _freezing.is_frozen(self.net):
            self._freeze(False)
            self.make_train_function(force=True)

    @property
    def phase(self) -> tuple[bool, bool, bool]:
        """What decides which step is compiled: refined labels, perturbed and frozen weights."""
        return self.refining, self.perturbing, _freezing.is_frozen(self.net)

    def _enter(self, epoch: int) -> None:
        self.epoch, self.refining = epoch, self.labels.refining(epoch)
        self.perturbing = self.awp.perturbing(epoch)
        if self.epoch_now is not None:
            self.epoch_now.assign(float(epoch))

    def reset_metrics(self) -> None:
        """Also restarts the evaluation's random starts, so that evaluating twice agrees."""
        super().reset_metrics()
        self.evaluation_seed.state.assign([self.seed + 1, 0])

    # -- the step, in the order of training/step.py; the backend's train_step calls train_batch --

    def attack_batch(self, data: Any) -> step.Batch:
        """Step 1: attack in inference mode, outside of any gradient of the weights."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        image, label = self._training_images(x), class_numbers(y)
        epoch = None if self.epoch_now is None else ops.convert_to_tensor(self.epoch_now)
        rows, sample = given_rows(y), self._index(x)
        batch = step.Batch(image, label, sample, weight, trained=image, epoch=epoch, rows=rows)
        if self.refining and self.teacher is not None:
            batch = batch._replace(taught=self.teacher.logits(self.net, image))
        return self._attacked(batch) if self.method.adversarial else batch

    def _attacked(self, batch: step.Batch) -> step.Batch:
        logits = self.inference.snapshot()
        bank = self.label_bank if self.refining else None
        attack = self.warmup.attack(self.attack) if self.warmup else self.attack
        parts = attack, self.method, self.labels, bank
        trained = step.adversarial(*parts, logits, batch, self.attack_seed)
        seen = self.method.both or (self.refining and self.labels.refines)
        probe = None if seen else self._probe(logits, batch.image)
        return batch._replace(trained=ops.stop_gradient(trained), probe=probe)

    def _training_images(self, x: Any) -> Tensor:
        if self.image_bank is None or not isinstance(x, dict) or "image" in x:
            return ops.cast(_image(x), "float32")
        return self.image_bank.read(x["index"], {k: v for k, v in x.items() if k != "index"})

    def _index(self, x: Any) -> Tensor | None:
        if isinstance(x, dict) and "index" in x:
            return ops.cast(x["index"], "int32")
        if self.labels.refines:
            raise DataError(
                f"{self._scheme_name} needs the index of each sample: expected "
                '({"image": x, "index": i}, label), received images alone'
            )
        return None

    @staticmethod
    def _probe(logits: Any, image: Tensor) -> Tensor:
        few = (ops.shape(image)[0] + PROBE_SHARE - 1) // PROBE_SHARE
        return logits(image[:few])

    def train_batch(self, data: Any, gradients: Callable[..., Any]) -> dict[str, Tensor]:
        """One optimisation step; ``gradients`` is how the backend differentiates a loss."""
        batch = self.attack_batch(data)
        moving = [ops.copy(variable) for variable in self._moving]
        found, (loss, outputs, target) = gradients(lambda: self.batch_loss(batch))
        if self.perturbing:
            _assign(self._moving, moving)
            pairs = self.awp.moved(self.trainable_weights, self.joined(found))
            weights, slopes = ([pair[part] for pair in pairs] for part in (0, 1))
            kept = [ops.copy(weight) for weight in weights]
            _assign(weights, self.awp.perturbed(kept, slopes))
            found, _ = gradients(lambda: self.batch_loss(batch, target))
            _assign(weights, kept)
        self.update(found)
        if self.warmup is not None:
            self.warmup.advance()
        for average in filter(None, (self.weight_average, self.teacher)):
            average.update(self.net)
        return self.record(batch, loss, outputs)

    @property
    def _moving(self) -> list[Any]:
        """What a pass in training mode moves, where there will be a second one."""
        return self.net.non_trainable_variables if self.perturbing else []

    def batch_loss(
        self, batch: step.Batch, target: step.Target | None = None
    ) -> tuple[Tensor, Outputs, step.Target]:
        """Steps 2 to 5: the scalar loss whose gradient updates the weights, logits and targets.

        With ``target`` nothing is refined.
        """
        parts = self.net, self.method, self.labels, self.label_bank
        per_sample, outputs, target = step.loss(*parts, batch, self.refining, target)
        loss = _weighted_mean(per_sample, batch.weight)
        for penalty in self.net.losses:
            loss = loss + ops.cast(penalty, "float32")
        return loss, outputs, target

    def record(self, batch: step.Batch, loss: Tensor, outputs: Outputs) -> dict[str, Tensor]:
        """Running means of the epoch."""
        if not self.method.adversarial:
            return self._update(batch, loss, clean=outputs.trained)
        clean = batch.probe if outputs.clean is None else outputs.clean
        return self._update(batch, loss, clean=clean, robust=outputs.trained)

    def _update(
        self, batch: step.Batch, loss: Tensor, clean: Tensor, robust: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Take a batch in, of whose clean logits there may be the first alone."""
        label = batch.label
        tracked = dict(zip(OURS, self.trackers, strict=True))
        tracked["loss"].update_state(loss, sample_weight=ops.shape(label)[0])
        tracked["accuracy"].update_state(losses.correct(clean, label[: ops.shape(clean)[0]]))
        if robust is None:
            del tracked["robust_accuracy"]
        else:
            tracked["robust_accuracy"].update_state(losses.correct(robust, label))
        given = label if batch.rows is None else batch.rows
        own = self.user_metrics.update(given, clean, robust, batch.weight)
        return {name: metric.result() for name, metric in tracked.items()} | own

    def evaluate_batch(self, data: Any) -> dict[str, Tensor]:
        """Clean and robust accuracy of a batch, in inference mode: the backend's ``test_step``."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        image, label, rows = ops.cast(_image(x), "float32"), class_numbers(y), given_rows(y)
        logits = self.inference.snapshot() if self.weight_average is None else self.logits
        attacked = self.evaluation_attack.run(Objective(logits, label), image, self.evaluation_seed)
        clean, robust = self.logits(image), self.logits(attacked)
        batch = step.Batch(image, label, None, weight, trained=attacked, rows=rows)
        seen = Outputs(robust if self.method.adversarial else clean, clean)
        given = batch.given(Hard(), clean.shape[-1])
        loss = _weighted_mean(self.method.loss(seen, given, label), weight)
        return self._update(batch, loss, clean, robust)

    # -- the Keras interface --------------------------------------------------------------------

    def fit(self, x: Any = None, y: Any = None, *args: Any, **options: Any) -> Any:
        """As Keras' ``fit``. Arrays get their sample indices here, whatever the shuffling.

        A second ``fit`` goes on with the soft labels of the first; rows whose given label changed
        start anew (of arrays; a data set's labels are not looked through). Before training on
        other images call ``model.label_bank.reset()``.
        """
        if _is_array(x) and y is not None:
            labels, y = self._checked(x, y)
            self._check_count(x)
            if self.label_bank is not None:
                self.label_bank.fill(labels)
            x = {"image": x, "index": np.arange(len(x), dtype="int32")}
        if isinstance(self.weight_average, EpochMean):
            self._fitted_on = _read_again(x, options.get("steps_per_epoch"))
        self._check_validation(options.get("validation_data"))
        position = _FIT_ARGUMENTS.index("callbacks") - 2
        if len(args) > position:
            args = (*args[:position], self._with_clock(args[position]), *args[position + 1 :])
        else:
            options["callbacks"] = self._with_clock(options.get("callbacks"))
        rows = self.label_bank.num_samples if self.label_bank is not None else self.num_samples
        x = x if rows is None else index_check.checked(x, rows)
        try:
            return super().fit(x, y, *args, **options)
        except Exception as error:
            said = index_check.from_framework(error)
            if said is None:
                raise
            raise said from None

    def train_on_batch(self, x: Any, *args: Any, **options: Any) -> Any:
        """As Keras' ``train_on_batch``."""
        if self.label_bank is not None:
            index_check.check(x, self.label_bank.num_samples)
        return super().train_on_batch(x, *args, **options)

    def _with_clock(self, callbacks: Any) -> Any:
        if isinstance(callbacks, keras.callbacks.CallbackList):
            clock = _EpochClock()
            clock.set_model(self)
            callbacks.callbacks.insert(0, clock)
            return callbacks
        given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
        return [_EpochClock(), *(c for c in given if c is not None)]

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **options: Any) -> Any:
        """As Keras' ``evaluate``: ``[loss, accuracy, robust_accuracy]``.

        ``sample_weight`` weighs the loss, as in ``fit``; accuracies count every image once.
        """
        if _is_array(x) and y is not None and not options.get("_use_cached_eval_dataset"):
            _, y = self._checked(x, y)
        return super().evaluate(x, y, *args, **options)

    def _check_validation(self, data: Any) -> None:
        if isinstance(data, (list, tuple)) and len(data) > 1 and _is_array(data[0]):
            self._checked(data[0], data[1])

    def _checked(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Class numbers (N,), or soft labels (N, K), of arrays that fit the network, and the labels
        for Keras: numbers, or rows if those were given, since metrics may want them."""
        check_images(x, networks.input_shape(self.net))
        labels = check_labels(y, len(x), networks.num_classes(self.net), soft=True)
        rows = np.ndim(y) == 2 and np.shape(y)[1] > 1
        return labels, np.asarray(y).astype("float32") if rows else labels

    def _check_count(self, x: Any) -> None:
        if self.num_samples is not None and len(x) != self.num_samples:
            raise DataError(
                f"expected {self.num_samples} training images (num_samples), received {len(x)}"
            )

    def save(self, filepath: Any, *args: Any, **options: Any) -> Any:
        """As Keras' ``save``, to a ``.keras`` file.

        Raises:
            UserError: an HDF5 file, the old format, from which no such model can be read back.
        """
        if pathlib.Path(filepath).suffix in (".h5", ".hdf5"):
            raise UserError(
                f"save: expected a name that ends in .keras, received {str(filepath)!r}: the old "
                "HDF5 format keeps no label bank; save_weights('x.weights.h5') keeps weights alone"
            )
        return super().save(filepath, *args, **options)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **options: Any,
    ) -> None:
        """Write the inference network: float32 images (B, H, W, C) in [0, 1] to logits (B, K).

        A SavedModel gives ``logits`` and ``probabilities``. What was written is read back in a
        fresh process and compared before it is put in place.

        Args:
            filepath: where to; with ``"onnx"`` and ``"litert"`` a file, else a folder.
            format: ``"tf_saved_model"``, ``"onnx"``, ``"litert"`` or ``"openvino"``.
            verbose: print where it was written.
            input_signature: not taken: images of any number in the network's own shape.

        Raises:
            ExportError: what was written differs by 1e-5 or more, or cannot be read.
            UserError: another format or argument, or a package that the format needs.
        """
        if input_signature is not None or options:
            given = ", ".join(options) or "input_signature"
            raise UserError(f"export({given}=...): the network's own shape is exported, any batch")
        if format not in OF_KERAS:
            raise UserError(f"export: expected one of {', '.join(OF_KERAS)}, received {format!r}")
        kind, path = OF_KERAS[format], pathlib.Path(filepath)
        if kind.suffix and path.suffix != kind.suffix:
            raise UserError(f"export: expected a name that ends in {kind.suffix}, received {path}")
        saving.export_network(self.trained_network(), path, kind.name)
        if verbose:
            print(f"Saved artifact at '{path}'.")

    def get_config(self) -> dict[str, Any]:
        """What rebuilds the model; see ``from_config``."""
        with _freezing.thawed(self.net):
            net = keras.saving.serialize_keras_object(self.net)
        return super().get_config() | {
            "net": net,
            "input_shape": networks.input_shape(self.net)[1:],
            "num_samples": self.num_samples,
            "method": registry.describe(self.method),
            "labels": registry.describe(self.given_labels),
            "attack": registry.describe(self.attack),
            "evaluation_attack": registry.describe(self.evaluation_attack),
            "attack_dtype": self.attack_dtype,
            "label_bank_dtype": self.label_bank_dtype,
            "label_bank_top_k": self.label_bank_top_k,
            "label_bank_place": self.label_bank_place,
            "ema_decay": self.ema_decay,
            "ema_start_epoch": self.ema_start_epoch,
            "ema_warmup": self.ema_warmup,
            "awp": schema.to_dict(self.awp),
            "swa_start_epoch": self.swa_start_epoch,
            "freeze_epochs": self.freeze_epochs,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> RobustClassifier:
        """The inverse of ``get_config``."""
        config = dict(config)
        config["net"] = keras.saving.deserialize_keras_object(config["net"], custom_objects)
        config["method"] = registry.restore("methods", config["method"])
        if "labels" in config:  # files of before 2026-11-28 have neither
            config["labels"] = registry.restore("labels", config["labels"])
            config["awp"] = AWP(**config["awp"])
        for key in ("attack", "evaluation_attack"):
            config[key] = registry.restore("attacks", config[key])
        return cls(**config)


_FIT_ARGUMENTS = ("x", "y", "batch_size", "epochs", "verbose", "callbacks")


class _EpochClock(keras.callbacks.Callback):
    """Tells the model which epoch begins and when it ends."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        steps = (self.params or {}).get("steps")
        self.model.steps_per_epoch = self.model.steps_per_epoch or steps
        self.model.begin_epoch(epoch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.end_epoch()

    def on_train_end(self, logs: Any = None) -> None:
        self.model.end_training()


def _read_again(x: Any, steps: int | None) -> Callable[[], Iterable[Any]] | None:
    """What gives the images of ``fit``'s ``x`` in batches, as often as it is called."""
    if isinstance(x, dict):
        return lambda: batched(ops.convert_to_numpy(x["image"]))
    if isinstance(x, Iterator) or not hasattr(x, "__iter__"):
        return None
    return lambda: (_image(batch[0]) for batch in itertools.islice(x, steps))


def _assign(variables: Iterable[Any], values: Iterable[Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _image(x: Any) -> Tensor:
    return x["image"] if isinstance(x, dict) else x


def _weighted_mean(per_sample: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over the batch of the weighted values, as Keras reduces a loss."""
    if weight is not None:
        per_sample = per_sample * ops.cast(ops.reshape(weight, (-1,)), "float32")
    return ops.mean(per_sample)


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) or keras.ops.is_tensor(x)
