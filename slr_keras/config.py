"""The configuration of a run: composed from the sections, read from TOML and flags.

Precedence, lowest first: the defaults below (the digits run), a preset, a TOML file, flags.

    >>> load(values={"attack": {"eps": "8/255"}}).attack.steps
    10
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from slr_keras import texts
from slr_keras.attacks._base import Attack
from slr_keras.attacks.pgd import PGD
from slr_keras.data._settings import DataSettings
from slr_keras.errors import SettingError, UserError, did_you_mean
from slr_keras.labels._base import Labels
from slr_keras.labels.hard import Hard
from slr_keras.labels.slr import SLR as RefinedLabels  # noqa: N811
from slr_keras.methods._base import Method
from slr_keras.methods.slr import SLR
from slr_keras.models import _named
from slr_keras.models._base import Architecture
from slr_keras.models.cnn import SmallCNN
from slr_keras.optimizers._base import OptimizerSettings
from slr_keras.optimizers.sgd import SGDSettings
from slr_keras.schedules._base import Schedule
from slr_keras.schedules.step import Step
from slr_keras.settings import registry, schema
from slr_keras.settings.schema import Settings, setting

LABELS_HARDLY_MOVE = 0.5  # share of the given label that is left after the last epoch
ENOUGH_SAMPLES = 400  # 95 % half-width below 5 percentage points
NO_VALIDATION = (
    "there are no validation images whose robust accuracy could be waited for; leave it out, or "
    "set data.val_fraction"
)
MEET = "expected HOST:PORT of process 0, or auto"
PRESETS = pathlib.Path(__file__).parent / "presets"


@dataclasses.dataclass(frozen=True)
class TrainSettings(Settings):
    """Length of the run, and what it leaves behind."""

    epochs: int = setting(30, help="passes over the training set", unit="epochs", at_least=1)
    batch_size: int = setting(
        128, label="Images in a batch", help="images per step", unit="images", at_least=1
    )
    checkpoint_minutes: float = setting(
        10.0,
        label="Minutes between checkpoints",
        help="longest time between checkpoints; one is written after every epoch in any case",
        unit="minutes",
        above=0,
    )
    patience: int = setting(
        0,
        label="Patience",
        help="end after so many epochs in which robust accuracy on validation images was not the "
        "best so far; 0: train all epochs",
        unit="epochs",
        at_least=0,
    )
    max_minutes: float = setting(
        0.0,
        label="Time limit",
        help="leave before the process has run so long, state saved, exit code 75; 0: no limit; "
        "with --resume too",
        unit="minutes",
        at_least=0,
    )
    keep_checkpoints: int = setting(
        2, label="Checkpoints kept", help="checkpoints kept, newest first", at_least=1
    )
    export: bool = setting(
        False, label="Write a SavedModel", help="write savedmodel/ (from the best epoch) at the end"
    )
    tensorboard: bool = setting(True, label="Write TensorBoard logs", help="write TensorBoard logs")
    tracker: str = setting(
        "none",
        label="Experiment tracker",
        help="tell each epoch's figures to MLflow or Weights & Biases too, through their own "
        "callbacks; where to is what their environment variables say",
        choices=("none", "mlflow", "wandb"),
    )


@dataclasses.dataclass(frozen=True)
class EvalSettings(Settings):
    """Accuracy during training (PGD on fixed subsets) and on the test set at the end."""

    every: int = setting(
        1,
        label="Evaluate every",
        help="evaluate after every so many epochs",
        unit="epochs",
        at_least=1,
    )
    train_samples: int = setting(
        500,
        label="Training images looked at",
        help="training images evaluated per epoch, 0 for all",
        unit="images",
        at_least=0,
    )
    val_samples: int = setting(
        500,
        label="Validation images looked at",
        help="validation images evaluated per epoch, 0 for all",
        unit="images",
        at_least=0,
    )
    test_samples: int = setting(
        0,
        label="Test images at the end",
        help="test images evaluated at the end, 0 for all",
        unit="images",
        at_least=0,
    )
    steps: int = setting(
        10,
        label="PGD steps while training",
        help="PGD steps of the evaluation per epoch",
        at_least=1,
    )
    test_steps: int = setting(
        20, label="PGD steps at the end", help="PGD steps of the test at the end", at_least=1
    )
    batch_size: int = setting(
        250, label="Images at once", help="images per evaluation batch", unit="images", at_least=1
    )
    masking_every: int = setting(
        10,
        label="Look for masked gradients every",
        help="after every so many epochs a few validation images meet attacks of another kind, as "
        "often as 3 % of the time allow; 0: never",
        unit="epochs",
        at_least=0,
    )
    masking_samples: int = setting(
        50,
        label="Images of that",
        help="validation images that meet them",
        unit="images",
        at_least=10,
    )


@dataclasses.dataclass(frozen=True)
class LabelBankSettings(Settings):
    """How the soft labels are stored."""

    dtype: str = setting(
        "float32", label="Number format", help="number format", choices=("float32", "float16")
    )
    top_k: int = setting(
        0,
        label="Entries kept of a label",
        help="largest entries kept of each label, the others share the rest; 0: all",
        at_least=0,
    )
    place: str = setting(
        "device",
        label="Memory",
        help="memory of the device, or of the host beside it (TensorFlow)",
        choices=("device", "host"),
    )


@dataclasses.dataclass(frozen=True)
class WeightsSettings(Settings):
    """Where the gradient of the update is taken."""

    awp: float = setting(
        0.0,
        label="Weight perturbation (AWP)",
        help="adversarial weight perturbation: step relative to the weights, 0.01 for AT, 0.005 "
        "for TRADES and MART; 0: off",
        at_least=0,
    )
    awp_start_epoch: int = setting(
        1,
        label="First perturbed epoch",
        help="first epoch whose weights are perturbed",
        unit="epochs",
        at_least=1,
    )


@dataclasses.dataclass(frozen=True)
class EmaSettings(Settings):
    """Weight averaging: what is evaluated, saved and exported is a moving average."""

    decay: float = setting(
        0.0,
        label="Decay of the average",
        help="a <- decay * a + (1 - decay) * weight after each step, 0.999 for example; 0: off",
        at_least=0,
        below=1,
    )
    start_epoch: int = setting(
        1,
        label="First averaged epoch",
        help="first epoch averaged; the usual one follows the first decay",
        at_least=1,
    )
    warmup: bool = setting(
        True,
        label="Warm-up of the average",
        help="at step t of the average its decay is at most (1 + t) / (10 + t), so that it leaves "
        "its start in a short run too",
    )


@dataclasses.dataclass(frozen=True)
class SwaSettings(Settings):
    """Stochastic weight averaging: the mean of epochs is evaluated, saved and exported."""

    start_epoch: int = setting(
        0,
        label="First epoch of the mean",
        help="first epoch whose weights at its end are part of the mean; 0: off",
        unit="epochs",
        at_least=0,
    )


@dataclasses.dataclass(frozen=True)
class AnalysisSettings(Settings):
    """Quantities that explain a run, recorded at its evaluations."""

    record: str = setting(
        "",
        label="Recorded analyses",
        help="names separated by commas, or all: gradient_norm costs a pass with gradient, the "
        "others next to nothing beside an attack on the images that are looked at",
    )
    samples: int = setting(
        400,
        label="Images looked at",
        help="training and as many validation images that are looked at",
        at_least=10,
    )

    @property
    def names(self) -> list[str]:
        """What is recorded, in order."""
        if self.record.strip() == "all":
            return list(registry.variants("analyses"))
        return [name for text in self.record.split(",") if (name := text.strip())]

    def validate(self) -> None:
        """All of them exist."""
        for name in self.names:
            known = registry.variants("analyses")
            if name not in known:
                hint = did_you_mean(name, known)
                raise SettingError(
                    "record", f"expected {', '.join(known)} or all, received {name!r}.{hint}"
                )


@dataclasses.dataclass(frozen=True)
class DistributedSettings(Settings):
    """Several processes, on one machine or several, that train one model (JAX)."""

    coordinator: str = setting(
        "",
        label="Address of process 0",
        help="HOST:PORT of process 0, or auto: as JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and "
        "JAX_PROCESS_ID say, or torchrun's variables, Slurm, Open MPI or a TPU pod",
    )
    processes: int = setting(
        1, label="Number of processes", help="processes of the run", at_least=1
    )
    process: int = setting(
        0, label="Number of this process", help="number of this process, from 0", at_least=0
    )
    timeout: int = setting(
        60,
        label="Patience with the others",
        help="wait for the others so long",
        unit="seconds",
        at_least=1,
    )

    def validate(self) -> None:
        """An address to meet at, and a number below that of the processes."""
        if self.coordinator in ("", "auto"):
            if (self.processes, self.process) != (1, 0):
                meet = "with auto leave processes and process out"
                raise SettingError("coordinator", meet if self.coordinator else MEET)
            return
        host, _, port = self.coordinator.rpartition(":")
        if not (host and port.isdecimal() and 0 < int(port) < 65536):
            raise SettingError("coordinator", f"{MEET}, received {self.coordinator!r}")
        if self.process >= self.processes:
            raise SettingError(
                "process", f"expected 0 to {self.processes - 1}, received {self.process}"
            )


@dataclasses.dataclass(frozen=True)
class RunConfig(Settings):
    """Everything that determines a run; equal configs give equal runs."""

    seed: int = setting(
        0,
        label="Random seed",
        help="fixes initialisation, data order, augmentation and attack starts",
        at_least=0,
        at_most=2**31 - 1,
    )
    run_dir: str = setting(
        "",
        label="Folder of the run",
        help="run folder; empty: runs/<time>-<method>-<model>-<dataset>",
    )
    overwrite: bool = setting(
        False,
        label="Replace an existing folder",
        help="move an existing run folder's content to the side first",
    )
    plugin: tuple[str, ...] = setting(
        (),
        label="Own parts",
        help="Python file, or module of an installed package, whose networks, methods, attacks and "
        "the like stand beside those that ship; may be given again",
    )
    precision: str = setting(
        "float32",
        label="Arithmetic",
        help="Keras precision policy",
        choices=("float32", "mixed_bfloat16"),
    )
    attack_precision: str = setting(
        "same",
        label="Arithmetic of the attack",
        help="arithmetic of the training attack alone; bfloat16 is faster on CPUs with AMX and on "
        "Zen 4, and flips some gradient signs; auto: measured at the start, then kept",
        choices=("same", "bfloat16", "auto"),
    )
    devices: str = setting(
        "1",
        label="Devices that share a batch",
        help="devices of this machine that share each batch: a number, or all",
    )
    train: TrainSettings = setting(TrainSettings(), help="training")
    data: DataSettings = setting(DataSettings(), help="data")
    model: Architecture = setting(
        SmallCNN(), label="Network", help="architecture", variants="models"
    )
    method: Method = setting(
        SLR(start_epoch=6), label="Training method", help="training method", variants="methods"
    )
    labels: Labels = setting(
        Hard(),
        label="Label scheme",
        help="what the loss compares with; method slr brings its own",
        variants="labels",
    )
    attack: Attack = setting(
        PGD(eps=24 / 255, step_size=6 / 255),
        label="Attack",
        help="attack of the training step",
        variants="attacks",
    )
    optimizer: OptimizerSettings = setting(
        SGDSettings(), label="Optimiser", help="optimiser", variants="optimizers"
    )
    schedule: Schedule = setting(
        Step(), label="Learning-rate schedule", help="learning-rate schedule", variants="schedules"
    )
    label_bank: LabelBankSettings = setting(LabelBankSettings(), help="label bank")
    weights: WeightsSettings = setting(WeightsSettings(), help="weight perturbation")
    ema: EmaSettings = setting(EmaSettings(), help="weight averaging")
    swa: SwaSettings = setting(SwaSettings(), help="mean of the weights of epochs")
    eval: EvalSettings = setting(EvalSettings(), help="evaluation")
    analysis: AnalysisSettings = setting(AnalysisSettings(), help="quantities that are recorded")
    distributed: DistributedSettings = setting(DistributedSettings(), help="several processes")

    def validate(self) -> None:
        """Training needs an untargeted attack, and devices to share."""
        if self.attack.targeted:
            raise SettingError("attack.targeted", "training needs an untargeted attack, set false")
        self.method.check_attack(self.attack, self.method.scheme(self.labels))
        if self.swa.start_epoch:
            self._check_swa()
        self._check_lengths()
        if self.analysis.names and self.distributed.coordinator:
            raise SettingError("analysis.record", "several processes record none: leave it out")
        if self.attack_precision == "auto" and self.distributed.coordinator:
            raise SettingError(
                "attack_precision", "several processes have to agree: same or bfloat16, not auto"
            )
        if self.devices != "all" and not (self.devices.isdecimal() and int(self.devices) > 0):
            raise SettingError("devices", f"expected 1 or more, or all, received {self.devices!r}")
        if self.distributed.coordinator and self.devices not in ("1", "all"):
            raise SettingError("devices", "several processes share a batch on all: leave it out")

    def _check_lengths(self) -> None:
        warm, epochs = self.attack.warmup_epochs, self.train.epochs
        if warm > epochs:
            raise SettingError(
                "attack.warmup_epochs",
                f"expected at most the run's {epochs} epochs, received {warm}: the radius would "
                "never be reached",
            )
        frozen = getattr(self.model, "freeze_epochs", 0)
        if frozen > epochs:
            raise SettingError(
                "model.freeze_epochs",
                f"expected at most the run's {epochs} epochs, received {frozen}",
            )

    def _check_swa(self) -> None:
        if self.swa.start_epoch > self.train.epochs:
            raise SettingError(
                "swa.start_epoch",
                f"expected an epoch of the run's {self.train.epochs}, received "
                f"{self.swa.start_epoch}: nothing would be averaged",
            )
        if self.ema.decay:
            raise SettingError("swa.start_epoch", "ema.decay is set too: one average is evaluated")
        if self.distributed.coordinator:
            raise SettingError("swa.start_epoch", "several processes share no mean: take ema.decay")

    @property
    def chosen(self) -> list[tuple[str, str]]:
        """(kind, name) of what was chosen for the sections that have a choice."""
        facts = {f.name: f.metadata["facts"].variants for f in dataclasses.fields(self)}
        chosen = [(kind, getattr(self, name).name) for name, kind in facts.items() if kind]
        own = [("data", self.data.name), ("augmentations", self.data.augment)]
        return [*chosen, *own, *(("analyses", name) for name in self.analysis.names)]

    @property
    def scheme(self) -> Labels:
        """The label scheme: that of the method, where it brings one, else ``labels``."""
        return self.method.scheme(self.labels)

    @property
    def gradients(self) -> int:
        """Passes with gradient of a training image in an epoch: the attack's and the step's.

        Example:
            >>> RunConfig(attack=PGD(steps=10)).gradients
            11
        """
        attack, method = self.attack, self.method
        searched = getattr(attack, "steps", 1) * getattr(attack, "restarts", 1)
        perturbed = 1 if self.weights.awp else 0
        return (searched + perturbed if method.adversarial else 0) + (2 if method.both else 1)

    def warnings(self) -> list[str]:
        """What is allowed and probably not meant, a sentence each."""
        return [
            *_label_warnings(self),
            *_schedule_warnings(self),
            *_ema_warnings(self),
            *_attack_warnings(self),
            *_evaluation_warnings(self),
        ]


def _label_warnings(run: RunConfig) -> Iterator[str]:
    labels, section = run.scheme, "method" if id(run.scheme) == id(run.method) else "labels"
    epochs, start = run.train.epochs, getattr(labels, "start_epoch", 1)
    if start > epochs:
        yield (
            f"{section}.start_epoch {start} is after the last epoch {epochs}: "
            "labels are never refined."
        )
    elif isinstance(labels, RefinedLabels):
        left = epochs - start + 1
        share = labels.momentum**left
        if share > LABELS_HARDLY_MOVE:
            yield (
                f"{section}.momentum {labels.momentum:g} is slow for the {left} epochs from "
                f"{section}.start_epoch on: {100 * share:.0f} % of each label is still the "
                "given one at the end."
            ).replace("the 1 epochs", "the one epoch")


def _schedule_warnings(run: RunConfig) -> Iterator[str]:
    epochs = run.train.epochs
    late = [drop for drop in run.schedule.drops(epochs) if drop > max(epochs, 2)]
    if late:
        when = ", ".join(map(str, late))
        yield (
            f"schedule.milestones: the learning rate never drops at epoch {when}, "
            f"the last epoch is {epochs}."
        )


def _ema_warnings(run: RunConfig) -> Iterator[str]:
    if run.ema.decay and run.ema.start_epoch > run.train.epochs:
        yield (
            f"ema.start_epoch {run.ema.start_epoch} comes after the last epoch: no weights are "
            "averaged."
        )


def _attack_warnings(run: RunConfig) -> Iterator[str]:
    attack = run.attack
    if not isinstance(attack, PGD):
        return
    reach = attack.step_size * attack.steps
    if run.method.adversarial and reach < attack.eps:
        yield (
            f"attack.step_size * attack.steps = {reach:.4f} is below "
            f"attack.eps = {attack.eps:.4f}: the attack cannot cross the ball."
        )
    for name, steps in (("eval.steps", run.eval.steps), ("eval.test_steps", run.eval.test_steps)):
        if attack.step_size * steps < attack.eps:
            yield (
                f"attack.step_size * {name} = {attack.step_size * steps:.4f} is below "
                f"attack.eps = {attack.eps:.4f}: the evaluation's attack cannot cross the ball, "
                "and the model looks more robust than it is."
            )


def _evaluation_warnings(run: RunConfig) -> Iterator[str]:
    if run.data.val_fraction == 0:
        yield "data.val_fraction 0: without a validation split there is no best epoch."
    steps = max(run.eval.steps, run.eval.test_steps)
    trained = getattr(run.attack, "steps", 1)
    if run.method.adversarial and steps <= trained:
        yield (
            f"eval.test_steps {run.eval.test_steps}: no evaluation attacks with more than the "
            f"{trained} steps of training; a model may resist just this attack. "
            f"Take {2 * trained} or more."
        )
    for name, count in (
        ("eval.val_samples", run.eval.val_samples),
        ("eval.test_samples", run.eval.test_samples),
    ):
        if 0 < count < ENOUGH_SAMPLES:
            yield (
                f"{name} {count}: the accuracy is known to ±{half_width(count):.1f} percentage "
                f"points only (95 %), smaller differences may be chance. {ENOUGH_SAMPLES} images "
                f"give ±{half_width(ENOUGH_SAMPLES):.1f}."
            )


def half_width(samples: int) -> float:
    """Half the 95 % interval of an accuracy near one half, in percentage points."""
    return 100 * 1.96 * math.sqrt(0.25 / samples)


def variants(kind: str, stand_ins: bool = False) -> Mapping[str, Any]:
    """The registry; of models also those of Keras, of a file and of an earlier run, by their names.

    Args:
        stand_ins: with an entry for each sort of these, for who lists what can be set.
    """
    known = registry.variants(kind)
    if kind != "models":
        return known
    return _WithFiles(known | _named.STAND_INS if stand_ins else known)


class _WithFiles(dict):  # type: ignore[type-arg]
    """Architectures by name; what has none of its own is told by how it is called."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or _named.find(str(name)) is not None

    def __missing__(self, name: str) -> Any:
        found = _named.find(name)
        if found is None:
            raise KeyError(name)
        return found


def settings() -> list[schema.Setting]:
    """Every setting of a run, in order; a name shared by variants appears once for each."""
    return list(schema.walk(RunConfig, lambda kind: variants(kind, stand_ins=True)))


def preset_names() -> list[str]:
    """The presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load(
    preset: str | None = None,
    file: str | pathlib.Path | None = None,
    values: Mapping[str, Any] | None = None,
) -> RunConfig:
    """A checked configuration.

    Args:
        preset: name of a preset.
        file: path of a TOML file; ``base = "..."`` at its top names a preset that it changes.
        values: nested values that win over both (the flags).

    Raises:
        UserError: no such preset or file, or no TOML in it.
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    layers: list[Mapping[str, Any]] = []
    if preset is not None:
        layers += _preset(preset)
    if file is not None:
        layers += _with_base(read_toml(pathlib.Path(file)))
    merged: dict[str, Any] = {  # so that naming the default variant is no change of variant
        field.name: {"name": field.default.name}
        for field in dataclasses.fields(RunConfig)
        if field.metadata["facts"].variants
    }
    for layer in [*layers, values or {}]:
        merged = merge(merged, layer)
    return schema.from_dict(RunConfig, merged, variants, like=RunConfig())


def _preset(name: str) -> list[Mapping[str, Any]]:
    """What a preset says, lowest first."""
    if name not in preset_names():
        raise UserError(f"unknown preset: {name!r}.{did_you_mean(name, preset_names())}")
    return _with_base(read_toml(PRESETS / f"{name}.toml"))


def _with_base(table: dict[str, Any]) -> list[Mapping[str, Any]]:
    """A table, and below it the preset that it names as its ``base``."""
    base = table.pop("base", None)
    return [table] if base is None else [*_preset(str(base)), table]


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """``high`` over ``low``; where it names another variant, the settings of the old one go."""
    result = dict(low)
    for key, value in high.items():
        old = result.get(key)
        if key == "plugin" and _are_texts(value) and _are_texts(old):
            result[key] = list(dict.fromkeys([*old, *value]))
        elif isinstance(value, Mapping) and isinstance(old, Mapping):
            same = value.get("name", old.get("name")) == old.get("name") or key == "data"
            result[key] = merge(old if same else {}, value)
        else:
            result[key] = value
    return result


def _are_texts(value: Any) -> TypeGuard[Sequence[str]]:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def read_toml(path: pathlib.Path) -> dict[str, Any]:
    """The tables of a TOML file, or a :class:`UserError` that names the file and the line."""
    try:
        return texts.from_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no such configuration file: {path}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path} is no TOML: {error}") from None


def dumps(config: RunConfig) -> str:
    """The complete configuration as TOML; ``load`` reads it back to an equal one."""
    import tomli_w

    return tomli_w.dumps(schema.to_dict(config))


def as_before(table: Mapping[str, Any]) -> dict[str, Any]:
    """A complete configuration of another version as it is meant today.

    What it did not know has its default, but for what is on today and was not there.
    """
    ema = table.get("ema")
    if not isinstance(ema, Mapping) or "warmup" in ema:
        return dict(table)
    return {**table, "ema": {**ema, "warmup": False}}


def renewed(text: str) -> str:
    """:func:`plain_text` of another version, see :func:`as_before`."""
    try:
        return plain_text(load(values=as_before(texts.from_toml(text))))
    except ValueError:
        return text


def plain_text(config: RunConfig) -> str:
    """What tells one run from another, as TOML: no folder, devices, processes or time limit.

    Nor where a plug-in lies: the run folder keeps its digest.
    """
    return dumps(lasting(config).replace(run_dir="", overwrite=False, devices="1", plugin=()))


def lasting(config: RunConfig, minutes: float = 0.0) -> RunConfig:
    """``config`` without what it says of a process alone; ``minutes`` becomes its time limit."""
    train = config.train.replace(max_minutes=minutes)
    return config.replace(distributed=DistributedSettings(), train=train)


def passing(values: Mapping[str, Any]) -> bool:
    """Whether flags say something of a process alone: ``--resume`` takes these and no others."""
    train = values.get("train", {})
    return values.keys() <= {"distributed", "train", "plugin"} and train.keys() <= {"max_minutes"}
