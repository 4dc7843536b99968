"""Models for the lab: from a run folder, its newest checkpoint or a ``.keras`` file."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import time
import zipfile
from typing import Any

import numpy as np

from slr_keras import config as configs
from slr_keras import data, saving, texts
from slr_keras.backend import keras
from slr_keras.checks import check_classifier
from slr_keras.data import DataSettings, as_float
from slr_keras.errors import DataError, ModelError, RunError, UserError, did_you_mean
from slr_keras.lab.engine import Engine, architecture_of, digest_of
from slr_keras.run_folder import RunFolder
from slr_keras.settings import registry
from slr_keras.training.checkpoints import FORMAT, Checkpoints

WHICH = ("best", "final", "current")
KEPT = 3  # engines a slot keeps, each with its compiled functions
MISTAKES = 2000  # test images looked at for mistakes
MISTAKE_SECONDS = 3.0  # and how long


@dataclasses.dataclass(frozen=True)
class TestSet:
    """The test images of a run (uint8 or float), their labels and the names of the classes."""

    __test__ = False  # pytest takes it for a test

    name: str
    x: np.ndarray
    y: np.ndarray
    class_names: tuple[str, ...]

    def image(self, index: int) -> np.ndarray:
        """Float32 (H, W, C) in [0, 1]."""
        return as_float(self.x[index : index + 1])[0]


@dataclasses.dataclass(frozen=True)
class Mistakes:
    """Test images that a model gets wrong, among so many that were looked at."""

    checked: int
    wrong: np.ndarray


@dataclasses.dataclass
class Model:
    """What is in a slot.

    Attributes:
        test: None where there is none; ``no_test`` says why.
        named: whether the class names are those of the data, not numbers.
    """

    engine: Engine
    title: str
    source: str
    which: str
    epoch: int
    digest: str
    class_names: tuple[str, ...]
    named: bool = False
    test: TestSet | None = None
    no_test: str = ""
    attack: dict[str, Any] | None = None

    @functools.cached_property
    def mistakes(self) -> Mistakes:
        """Found once for these weights, in a fixed random order of the test set."""
        test = self.test_set()
        order = np.random.default_rng(0).permutation(len(test.y))[:MISTAKES]
        begun, wrong, checked = time.monotonic(), [], 0
        for part in np.array_split(order, max(1, len(order) // 128)):
            predicted = self.engine.logits(as_float(test.x[part])).argmax(-1)
            wrong.append(part[predicted != test.y[part]])
            checked += len(part)
            if time.monotonic() - begun > MISTAKE_SECONDS:
                break
        return Mistakes(checked, np.sort(np.concatenate(wrong)))

    def test_set(self) -> TestSet:
        """The test images; raises :class:`UserError` where there are none."""
        if self.test is None:
            raise UserError(f"There are no test images for {self.title}. {self.no_test}")
        return self.test

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether the network takes images (H, W, C)."""
        wanted = self.engine.input_shape
        return len(wanted) == len(shape) and all(
            a in (None, b) for a, b in zip(wanted, shape, strict=True)
        )

    def same_classes(self, other: Model) -> bool:
        """Whether a class number means the same in both, as far as that is known."""
        if self.engine.num_classes != other.engine.num_classes:
            return False
        return not (self.named and other.named) or self.class_names == other.class_names


@dataclasses.dataclass(frozen=True)
class Found:
    """A network on disk: a ``.keras`` file, in a run folder or alone."""

    path: pathlib.Path
    which: str
    folder: RunFolder | None
    config: configs.RunConfig | None

    @property
    def files(self) -> list[pathlib.Path]:
        """Where the weights are."""
        return [self.path]

    @property
    def stamp(self) -> tuple[Any, ...]:
        """Changes when one of the files does."""
        files = [*self.files, *([self.folder["config.toml"]] if self.folder else [])]
        stats = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files]
        return str(self.path.resolve()), self.which, *stats


@dataclasses.dataclass(frozen=True)
class FoundCheckpoint(Found):
    """The newest state of a run: a checkpoint's JSON file."""

    folder: RunFolder
    config: configs.RunConfig

    @property
    def files(self) -> list[pathlib.Path]:
        """Position and weights."""
        return [self.path, self.path.with_suffix(".npz")]


def find(source: str, which: str) -> Found:
    """Where the weights are.

    Raises:
        UserError: nothing usable is there.
    """
    place = pathlib.Path(source).expanduser()
    if which not in WHICH:
        raise UserError(f"expected one of {', '.join(WHICH)}, received {which!r}.")
    if place.is_dir():
        folder = RunFolder.open(place)
        kind = FoundCheckpoint if which == "current" else Found
        return kind(_file_of(folder, which), which, folder, folder.config())
    if not source or not place.is_file():
        raise UserError(f"no such run folder or model file: {source}. Choose another model.")
    if place.suffix != ".keras":
        raise UserError(f"expected a run folder or a .keras file, received {source}.")
    inside = (place.parent / "config.toml").is_file()
    folder_of_file = RunFolder(place.parent) if inside else None
    return Found(place, place.stem, folder_of_file, _config_beside(folder_of_file))


def _config_beside(folder: RunFolder | None) -> configs.RunConfig | None:
    """The configuration of the run a file lies in; a file alone is good enough without."""
    try:
        return folder.config() if folder else None
    except UserError:
        return None


def _file_of(folder: RunFolder, which: str) -> pathlib.Path:
    if which == "current":
        found = Checkpoints(folder["checkpoints"]).found()
        if found:
            return found[0]
        raise RunError(
            f"{folder.path} has no checkpoint yet: its newest weights are there after the first "
            "epoch."
        )
    file = folder[f"{which}.keras"]
    if file.is_file():
        return file
    there = [name for name in ("best", "final") if folder[f"{name}.keras"].is_file()]
    there += ["current"] if Checkpoints(folder["checkpoints"]).found() else []
    hint = f"Choose {' or '.join(there)}." if there else "It has no model yet."
    raise RunError(f"{folder.path} has no {which}.keras. {hint}")


class Shelf:
    """The models of one slot: the one in it, and engines whose compiled functions are kept."""

    def __init__(self) -> None:
        self.model: Model | None = None
        self._engines: dict[str, Engine] = {}
        self._built: dict[str, str] = {}
        self._stamp: tuple[Any, ...] = ()

    def load(self, source: str, which: str) -> bool:
        """Put a model into the slot; False if it holds these weights already.

        Raises:
            UserError: the model cannot be used; the slot stays as it is.
        """
        found, stamp = _stamped(source, which)
        if stamp == self._stamp and self.model is not None:
            return False
        same = self._take(found, source)
        self._stamp = stamp
        return not same

    def _take(self, found: Found, source: str) -> bool:
        test, reason = _test_set(found.config)
        if isinstance(found, FoundCheckpoint):
            engine, weights, epoch, title = self._from_checkpoint(found, test, reason)
        else:
            engine, weights = self._from_file(found)
            epoch = _epoch_of(found)
            title = _title(found, epoch)
        if not all(np.isfinite(weight).all() for weight in weights):
            raise ModelError(
                f"the weights of {title} hold NaN or infinite numbers. Choose an earlier epoch."
            )
        digest = digest_of(weights)
        old = self.model
        same = old is not None and old.digest == digest and old.engine is engine
        if not same:
            engine.assign(weights)
        self.model = _describe(
            Model(engine, title, source, found.which, epoch, digest, ()), found, test, reason
        )
        if same and old is not None and "mistakes" in vars(old) and old.test is self.model.test:
            self.model.mistakes = old.mistakes
        return same

    def _from_file(self, found: Found) -> tuple[Engine, list[np.ndarray]]:
        net = saving.load_model(found.path)
        return self._engine(architecture_of(net), net), net.get_weights()

    def _from_checkpoint(
        self, found: FoundCheckpoint, test: TestSet | None, reason: str
    ) -> tuple[Engine, list[np.ndarray], int, str]:
        if test is None:
            raise ModelError(f"the network cannot be built without the run's data: {reason}")
        arrays, position = _read_checkpoint(found.path)
        engine = self._built_from(found.config, test)
        epoch, batch = int(position["epoch"]), int(position["batch"])
        done = epoch if batch else epoch - 1
        when = f"epoch {epoch}, batch {batch}" if batch else f"epoch {done}"
        weights = _weights_of(engine.net, arrays, found.path)
        return engine, weights, done, f"{_run_name(found.folder)}, newest weights ({when})"

    def _built_from(self, config: configs.RunConfig, test: TestSet) -> Engine:
        """The engine of a configuration's network, built only where none like it is kept."""
        shape, classes = tuple(test.x.shape[1:]), len(test.class_names)
        wanted = json.dumps(
            [registry.describe(config.model), config.precision, shape, classes], default=str
        )
        known = self._engines.get(self._built.get(wanted, ""))
        if known is not None:
            return known
        net = saving.plain_network(_build(config, shape, classes))
        check_classifier(net)
        self._built[wanted] = architecture_of(net)
        return self._engine(self._built[wanted], net)

    def _engine(self, architecture: str, net: Any) -> Engine:
        """The engine that is kept for an architecture, or a new one; the newest are kept."""
        engine = self._engines.pop(architecture, None) or Engine(net)
        self._engines[architecture] = engine
        while len(self._engines) > KEPT:
            del self._engines[next(iter(self._engines))]
        return engine


def _stamped(source: str, which: str) -> tuple[Found, tuple[Any, ...]]:
    """A run that trains replaces its checkpoints: look again if one vanished in between."""
    for _ in range(3):
        found = find(source, which)
        try:
            return found, found.stamp
        except FileNotFoundError:
            time.sleep(0.05)
    raise RunError(f"{source} changes faster than it can be read. Try again.")


def _build(config: configs.RunConfig, shape: tuple[int, ...], classes: int) -> Any:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        return config.model.build(shape, classes)
    finally:
        keras.config.set_dtype_policy(before)


def _read_checkpoint(path: pathlib.Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The model's arrays and the position; the optimiser's are left on disk."""
    try:
        head = texts.from_json(path.read_text(encoding="utf-8"))
        if head["format"] != FORMAT:
            raise ValueError(f"expected format {FORMAT}, received {head['format']}")
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
            names = sorted(name for name in arrays.files if name.startswith("model/"))
            return [arrays[name] for name in names], head["position"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"the checkpoint {path} cannot be read ({error}). Choose the best epoch instead, or "
            "wait for the next checkpoint."
        ) from None


def _weights_of(net: Any, arrays: list[np.ndarray], path: pathlib.Path) -> list[np.ndarray]:
    """The network's weights among those of the training model, where they stand in one piece.

    Raises:
        RunError: they are not there.
    """
    shapes = [tuple(v.shape) for v in net.variables]
    stored = [array.shape for array in arrays]
    places = range(len(stored) - len(shapes) + 1)
    first = next((i for i in places if stored[i : i + len(shapes)] == shapes), None)
    if first is None:
        raise RunError(
            f"the checkpoint {path} does not fit the model in config.toml. Undo the change to "
            "the model's settings, or choose the best epoch."
        )
    wanted = {id(v) for v in net.weights}
    pairs = zip(net.variables, arrays[first:], strict=False)
    return [np.asarray(a, str(v.dtype)) for v, a in pairs if id(v) in wanted]


# -- what is known of a model beside its weights ----------------------------------------------


def _describe(model: Model, found: Found, test: TestSet | None, reason: str) -> Model:
    """Class names, test images and training attack, as far as the run knows them."""
    classes = model.engine.num_classes
    model.class_names = tuple(str(number) for number in range(classes))
    model.no_test = reason
    if test is not None and len(test.class_names) == classes:
        model.class_names, model.named = test.class_names, True
    if test is not None:
        if model.named and model.accepts(tuple(test.x.shape[1:])):
            model.test = test
        else:
            model.no_test = (
                f"The images of {test.name} do not fit this model: they are "
                f"{shown(test.x.shape[1:])} of {len(test.class_names)} classes, the model takes "
                f"{shown(model.engine.input_shape)} and has {classes} classes."
            )
    if found.config is not None:
        model.attack = registry.describe(found.config.attack)
    return model


def shown(shape: Any) -> str:
    """``32 × 32 × 3``."""
    return " × ".join("any" if size is None else str(size) for size in shape)


def _run_name(folder: RunFolder) -> str:
    return folder.path.resolve().name


def _title(found: Found, epoch: int) -> str:
    if found.folder is None:
        return found.path.name
    words = {"best": "best epoch", "final": "final epoch"}
    number = f" ({epoch})" if epoch else ""
    return f"{_run_name(found.folder)}, {words.get(found.which, found.which)}{number}"


def _epoch_of(found: Found) -> int:
    """The epoch a run's file is from; 0 where nothing says it."""
    if found.folder is None or found.config is None:
        return 0
    if found.which == "final":
        return found.config.train.epochs
    if found.which != "best":
        return 0
    best, highest = 0, -1.0
    for epoch in found.folder.epochs():
        value = epoch.val_robust_accuracy
        if value is not None and value > highest:
            best, highest = epoch.epoch, value
    return best


def _test_set(config: configs.RunConfig | None) -> tuple[TestSet | None, str]:
    """The test set of a run, or a sentence that says why there is none."""
    if config is None:
        return None, "The file says nothing of its data. Open an image file to attack."
    try:
        return _read_test_set(_of_test_set(config.data)), ""
    except DataError as error:
        return None, f"The test images of the run cannot be read: {error}"


def _of_test_set(settings: DataSettings) -> DataSettings:
    """The settings that the test split depends on; of training one image is read."""
    names = ("name", "dir", "image_size", "stream")
    same = {name: getattr(settings, name) for name in names}
    return DataSettings(val_fraction=0.0, train_samples=1, **same)


@functools.lru_cache(maxsize=2)
def _read_test_set(settings: DataSettings) -> TestSet:
    whole = data.load(settings, seed=0)
    return TestSet(
        pathlib.Path(settings.name).name, whole.x_test.copy(), whole.y_test, whole.class_names
    )


def check_slot(slot: str, slots: Any) -> None:
    """Raise :class:`UserError` unless there is such a slot."""
    if slot not in slots:
        raise UserError(f"there is no slot {slot!r}.{did_you_mean(slot, slots)}")
