"""Checkpoints: everything a run needs to go on, bit for bit.

A checkpoint is two files, ``<epoch>-<batch>.npz`` (weights, optimiser, label bank, random state,
running metrics) and ``<epoch>-<batch>.json`` (position, best epoch, what run it belongs to, SHA-256
of the first and of the position). Both are written under temporary names and renamed, the JSON
last: a run killed at any moment leaves the checkpoint before it intact.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import re
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, cast

import numpy as np

from slr_keras import backend, texts
from slr_keras.errors import RunError
from slr_keras.run_folder import replacing, write_atomically

FORMAT = 1
PART = 2**26  # bytes read, or written into a variable, at a time
_NAME = re.compile(r"(\d{6})-(\d{8})\.json")


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a run stands: ``batch`` batches of ``epoch`` (from 1) are done, and the best so far.

    ``seconds`` is the training time spent so far, ``learned`` whether the best epoch was better
    than chance on clean images.
    """

    epoch: int = 1
    batch: int = 0
    best_epoch: int = 0
    best_robust_accuracy: float = -1.0
    seconds: float = 0.0
    learned: bool = True


class Checkpoints:
    """The checkpoints of one run, newest first.

    Args:
        folder: ``checkpoints/`` of the run.
        keep: how many to keep.
    """

    def __init__(self, folder: pathlib.Path, keep: int = 2):
        self.folder, self.keep = folder, keep

    def found(self) -> list[pathlib.Path]:
        """The JSON files, newest first."""
        paths = self.folder.glob("*.json") if self.folder.is_dir() else []
        return sorted((p for p in paths if _NAME.fullmatch(p.name)), reverse=True)

    def newest_position(self) -> Position:
        """Epoch and batch of the newest, by its name alone; the start of a run without any."""
        for path in self.found():
            epoch, batch = path.stem.split("-")
            return Position(int(epoch), int(batch))
        return Position()

    def save(self, model: Any, position: Position, identity: dict[str, str]) -> pathlib.Path:
        """Write a checkpoint, then remove the oldest ones.

        Raises:
            OSError: the disk refused it; earlier checkpoints are untouched.
        """
        path = self.folder / f"{position.epoch:06d}-{position.batch:08d}.json"
        head = {
            "format": FORMAT,
            "position": dataclasses.asdict(position),
            "position_sha256": _seal(dataclasses.asdict(position)),
            "sha256": _write(path.with_suffix(".npz"), model),
            "identity": identity,
        }
        write_atomically(path, json.dumps(head).encode())
        self._prune(path)
        return path

    def _prune(self, newest: pathlib.Path) -> None:
        """What is later than the newest was damaged and passed over when the run was resumed."""
        kept = [path for path in self.found() if path <= newest][: self.keep]
        stems = {path.stem for path in kept}
        for path in self.folder.iterdir():
            if path.suffix in {".json", ".npz", ".tmp"} and path.stem not in stems:
                path.unlink(missing_ok=True)

    def load(
        self,
        model: Any,
        identity: dict[str, str],
        renew: Mapping[str, Callable[[str], str]] = types.MappingProxyType({}),
    ) -> tuple[Position | None, list[str]]:
        """Restore the newest whole checkpoint.

        Args:
            model: what to restore; compiled and built.
            identity: what the checkpoint must have in common with the run.
            renew: how a part of the identity that an older version wrote reads today.

        Returns:
            Its position, or None if there is none at all, and a message for each checkpoint
            that was passed over because it is damaged.

        Raises:
            RunError: every checkpoint is damaged, or belongs to another configuration or data.
        """
        notes: list[str] = []
        for path in self.found():
            try:
                head = _read_head(path)
                position = Position(**head["position"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                notes.append(f"checkpoint {path.name} is damaged ({error}); using the one before.")
                continue
            for what, value in identity.items():
                if renew.get(what, str)(str(head["identity"].get(what))) != value:
                    raise RunError(
                        f"{path.parent.parent}: the {what} changed since this run was started. "
                        "Undo the change, or start a new run with --run-dir."
                    )
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
                restore_state(model, arrays)
            return position, notes
        if notes:
            raise RunError(f"{self.folder}: no checkpoint can be read. {' '.join(notes)}")
        return None, notes


def _write(path: pathlib.Path, model: Any) -> str:
    """The state of a model as ``np.savez`` lays it out, one array at a time; returns its digest.

    A label bank may fill half the memory: at no time is there more than one copy of it.
    """
    with replacing(path) as file:
        hashed = _Hashed(file)
        with zipfile.ZipFile(cast(BinaryIO, hashed), "w") as archive:
            for name, array in state_of(model):
                # ZipInfo: without the time of day, so that equal states have equal digests
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
        return hashed.digest.hexdigest()


class _Hashed:
    """Passes on what is written and keeps its digest; cannot seek, nor does a zip file need it."""

    def __init__(self, file: BinaryIO):
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def _seal(position: Mapping[str, Any]) -> str:
    """A digest of the position: a digit of it that flips is another one, as valid."""
    return hashlib.sha256(json.dumps(position, sort_keys=True).encode()).hexdigest()


def _read_head(path: pathlib.Path) -> dict[str, Any]:
    """The JSON of a checkpoint that is whole; those of before have no digest of the position."""
    head: dict[str, Any] = texts.from_json(path.read_text(encoding="utf-8"))
    if not isinstance(head, dict):
        raise ValueError(f"expected a table, received {type(head).__name__}")
    if head.get("position_sha256") not in (None, _seal(head["position"])):
        raise ValueError("its position was altered")
    if head["format"] != FORMAT:
        raise ValueError(f"expected format {FORMAT}, received {head['format']}")
    digest = hashlib.sha256()
    with open(path.with_suffix(".npz"), "rb") as file:
        while part := file.read(PART):
            digest.update(part)
    if digest.hexdigest() != head["sha256"]:
        raise ValueError("its digest does not match, it was cut off or altered")
    return head


def _variables(model: Any) -> dict[str, Any]:
    images = getattr(model, "image_bank", None)  # they are in the data set
    left_out = set(map(id, images.variables)) if images is not None else set()
    groups = {
        "model": [v for v in model.variables if id(v) not in left_out],
        "optimizer": model.optimizer.variables,
        "metrics": [v for metric in model.metrics for v in metric.variables],
    }
    return {f"{name}/{i:05d}": v for name, group in groups.items() for i, v in enumerate(group)}


def state_of(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """All state of a compiled, built model: names and arrays, each made when it is asked for."""
    for name, variable in _variables(model).items():
        yield name, _plain(backend.array(variable))


def _plain(array: np.ndarray) -> np.ndarray:
    """bfloat16 is unknown to npz: stored as float32, which holds it exactly."""
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def restore_state(model: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """The inverse of :func:`state_of`; raises :class:`RunError` on another architecture."""
    variables = _variables(model)
    if set(variables) != set(arrays):
        raise RunError(
            f"expected a checkpoint with {len(variables)} arrays, received {len(arrays)}: "
            "it belongs to another model or optimiser"
        )
    for name, variable in variables.items():
        array = arrays[name]  # read from disk now
        if tuple(variable.shape) != array.shape:
            raise RunError(
                f"checkpoint array {name}: expected shape {tuple(variable.shape)}, "
                f"received {array.shape}"
            )
        _assign(variable, array)


def _assign(variable: Any, array: np.ndarray) -> None:
    """Give a variable its value; rows at a time, where copies of the whole would fill memory."""
    if array.nbytes <= PART or array.dtype.name != variable.dtype:
        variable.assign(array)
        return
    rows = max(1, PART * len(array) // array.nbytes)
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        backend.write_rows(variable, np.arange(start, start + len(part), dtype="int32"), part)
