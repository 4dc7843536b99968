"""What networks that somebody has trained before have in common."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar

from slr_keras.errors import ModelError
from slr_keras.models import _heads
from slr_keras.models._base import Architecture
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class Pretrained(Architecture):
    """A network to start from that no name is registered for: what it is called says where it is.

    Attributes:
        stand_in: the name under which the settings of all of a sort are listed.
    """

    stand_in: ClassVar[str] = ""

    freeze_epochs: int = setting(
        0,
        label="Epochs of the head alone",
        help="first epochs in which the head alone is trained and all before it, BatchNorm too, "
        "stays as it is; 0: none",
        unit="epochs",
        at_least=0,
    )

    @classmethod
    def of(cls, name: str) -> Any:
        """The architecture of that name; the same class for the same name.

        Example:
            >>> KerasFile.of("mine.keras")(freeze_epochs=3).name
            'mine.keras'
        """
        sort: Any = cls
        return _named(sort, name)

    def _checked(self, net: Any) -> Any:
        """The network; raises :class:`ModelError` where there is no head to train alone."""
        if self.freeze_epochs:
            try:
                _heads.find(net)
            except ModelError as error:
                raise ModelError(f"{self.name}: freeze_epochs: {error}") from None
        return net


@functools.cache
def _named(sort: Any, name: str) -> Any:
    """Made once, so that two configurations that say the same are equal."""
    return dataclasses.dataclass(frozen=True)(type(sort.__name__, (sort,), {"name": name}))
