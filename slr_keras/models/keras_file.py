"""The user's own network from a ``.keras`` file, or that of an earlier run."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import networks
from slr_keras.errors import ModelError
from slr_keras.models import _heads
from slr_keras.models._pretrained import Pretrained
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class KerasFile(Pretrained):
    """Start from a saved Keras classifier: ``--model.name path/to/model.keras``."""

    stand_in = "runs/... or FILE.keras"

    new_head: bool = setting(
        False,
        label="New head",
        help="put a new last layer, for the classes of the data, in place of the one it has",
    )

    @property
    def path(self) -> str:
        """Where the file is: that is its name."""
        return self.name

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """The network of the file; raises :class:`ModelError` if it does not fit the data."""
        net = self._read()
        shape = networks.input_shape(net)[1:]
        if not networks.fits(shape, input_shape):
            raise ModelError(f"{self.path}: expected input {input_shape}, the model takes {shape}")
        return self._checked(self._for_classes(net, num_classes))

    def _read(self) -> Any:
        from slr_keras import saving

        return saving.load_model(self.path, logits=not self.new_head)

    def _for_classes(self, net: Any, num_classes: int) -> Any:
        if self.new_head:
            try:
                return _heads.renewed(net, num_classes)
            except ModelError as error:
                raise ModelError(f"{self.path}: new_head: {error}") from None
        classes = networks.num_classes(net)
        if classes != num_classes:
            raise ModelError(
                f"{self.path}: expected {num_classes} classes as in the data, "
                f"the model has {classes}; --model.new_head gives it a new last layer"
            )
        return net
