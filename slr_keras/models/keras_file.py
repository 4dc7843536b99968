"""The user's own network from a ``.keras`` file."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, ClassVar

from slr_keras import networks
from slr_keras.errors import ModelError
from slr_keras.models._base import Architecture


@dataclasses.dataclass(frozen=True)
class KerasFile(Architecture):
    """Start from a saved Keras classifier with logits: ``--model.name path/to/model.keras``."""

    path: ClassVar[str] = ""

    @classmethod
    def of(cls, path: str) -> type[KerasFile]:
        """The architecture whose name is the path of a file."""
        return dataclasses.dataclass(frozen=True)(
            type("KerasFile", (cls,), {"name": path, "path": path})
        )

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """The network of the file; raises :class:`ModelError` if it does not fit the data."""
        from slr_keras import saving

        net = saving.load_model(pathlib.Path(self.path))
        shape, classes = networks.input_shape(net)[1:], networks.num_classes(net)
        fits = all(a in (None, b) for a, b in zip(shape, input_shape, strict=False))
        if len(shape) != len(input_shape) or not fits:
            raise ModelError(f"{self.path}: expected input {input_shape}, the model takes {shape}")
        if classes != num_classes:
            raise ModelError(
                f"{self.path}: expected {num_classes} classes as in the data, "
                f"the model has {classes}"
            )
        return net
