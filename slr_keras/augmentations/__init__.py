"""What is done to training images. One file each; the arithmetic beside it loads when it is used.

Each image gets a few whole numbers, drawn from the run's seed, the epoch and its sample index. What
they do to the pixels is arithmetic of whole numbers, written once for NumPy and for tensors: the
host and the device make the same images, bit for bit.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from slr_keras.settings import registry

    return registry.by_class_name("augmentations", name)
