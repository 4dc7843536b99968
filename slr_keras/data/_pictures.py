"""Which image files are read, and what a source says of them; imports no numpy."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Pictures:
    """Encoded images of one split, looked at and then streamed; see ``_encoded.streamed``."""

    def __len__(self) -> int:
        raise NotImplementedError

    def file(self, number: int) -> Any:
        """A path, or an open file, of which the first bytes will be read."""
        return io.BytesIO(self.read(number))

    def read(self, number: int) -> bytes:
        """All its bytes; called from several threads."""
        raise NotImplementedError

    def where(self, number: int) -> str:
        """Which one it is, for an error."""
        raise NotImplementedError

    def marks(self) -> tuple[np.ndarray, ...]:
        """Arrays (N, ...) that together tell the images from others."""
        raise NotImplementedError
