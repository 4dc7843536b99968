"""MLflow and Weights & Biases, through their own callbacks: what an epoch measured goes there too.

A tracker never ends a run: what it raises is told once, and it is asked no more. A run that is
resumed goes on in the tracker's run of before, whose name stands in ``tracker.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from slr_keras import texts
from slr_keras.backend import keras
from slr_keras.run_folder import RunFolder, write_atomically

FILE = "tracker.json"
PROJECT = "slr_keras"
Opened = tuple[Any, str, Callable[[bool], None]]  # callback, name of the run there, end it (well)


class Tracker(keras.callbacks.Callback):
    """The callback of a tracker, which may fail.

    Args:
        name: ``"mlflow"`` or ``"wandb"``.
        folder: the run's; its name is the run's there.
        settings: the run's, nested.
        warn: is told what went wrong.
    """

    def __init__(
        self,
        name: str,
        folder: RunFolder,
        settings: Mapping[str, Any],
        warn: Callable[[str], None],
    ):
        super().__init__()
        self.name, self.folder, self.warn = name, folder, warn
        self._callback: Any = None
        self._end: Callable[[bool], None] = lambda well: None
        self._begun = False
        self._attempt(lambda: self._open(settings), "could not be opened")

    def _open(self, settings: Mapping[str, Any]) -> None:
        opened = {"mlflow": _mlflow, "wandb": _wandb}[self.name]
        before = self._before()
        self._callback, run, self._end = opened(self.folder, _flat(settings), before)
        text = json.dumps({"tracker": self.name, "run": run}) + "\n"
        write_atomically(self.folder[FILE], text.encode())

    def _before(self) -> str | None:
        """The run there of this run folder, if there is one."""
        try:
            told = texts.from_json(self.folder[FILE].read_bytes())
            return str(told["run"]) if told["tracker"] == self.name else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _attempt(self, act: Callable[[], Any], what: str) -> None:
        try:
            act()
        except Exception as error:  # a server that is gone, a key that is missing: all the same
            self._callback = None
            text = " ".join(str(error).split())[:200]
            self.warn(f"{self.name} {what}, the run goes on without it: {text}")

    def set_model(self, model: Any) -> None:
        """Keras tells its callbacks."""
        super().set_model(model)
        if self._callback is not None:
            self._callback.set_model(model)

    def set_params(self, params: Any) -> None:
        """Keras tells its callbacks."""
        super().set_params(params)
        if self._callback is not None:
            self._callback.set_params(params)

    def on_train_begin(self, logs: Any = None) -> None:
        """Once: a run that was resumed within an epoch fits twice."""
        if self._callback is not None and not self._begun:
            self._begun = True
            self._attempt(self._callback.on_train_begin, "failed")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Hand on."""
        if self._callback is not None:
            self._attempt(lambda: self._callback.on_epoch_begin(epoch, logs), "failed")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Hand on the figures of the epoch, those of the evaluation among them."""
        if self._callback is not None:
            self._attempt(lambda: self._callback.on_epoch_end(epoch, logs), "failed")

    def close(self, well: bool) -> None:
        """End the run there."""
        if self._callback is not None:
            self._attempt(lambda: self._end(well), "failed at the end")
            self._callback = None


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"attack.eps": 0.03, ...}``."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        inner = isinstance(value, Mapping)
        found |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


def _mlflow(folder: RunFolder, settings: Mapping[str, Any], before: str | None) -> Opened:
    """Where ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_NAME`` say."""
    import mlflow
    import mlflow.keras

    run = mlflow.start_run(run_id=before, run_name=None if before else folder.path.name)
    if before is None:
        mlflow.log_params(settings)

    class Callback(mlflow.keras.MlflowCallback):
        def on_train_begin(self, logs: Any = None) -> None:
            if before is None:  # what it logs cannot be logged twice
                super().on_train_begin(logs)

    def end(well: bool) -> None:
        mlflow.end_run("FINISHED" if well else "KILLED")

    return Callback(), run.info.run_id, end


def _wandb(folder: RunFolder, settings: Mapping[str, Any], before: str | None) -> Opened:
    """Where ``WANDB_MODE``, ``WANDB_PROJECT`` and a login say."""
    import wandb
    from wandb.integration.keras import WandbMetricsLogger

    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        name=folder.path.name,
        dir=str(folder.path),
        config=dict(settings),
        id=before,
        resume="allow" if before else None,
    )
    return WandbMetricsLogger(), run.id, lambda well: run.finish(exit_code=0 if well else 1)
