"""Natural changes of images: the 15 common corruptions of Hendrycks and Dietterich, ICLR 2019.

arXiv 1903.12261, section 4: noise, blur, weather and digital artefacts in five severities. The
constants are those that the authors' programs made CIFAR-10-C and ImageNet-C with, the arithmetic
is theirs up to rounding, and so are the names: those of the files of CIFAR-10-C.

    >>> import numpy as np
    >>> from slr_keras.settings import registry
    >>> fog = registry.get("corruptions", "fog")(severity=3)
    >>> fog.apply(np.zeros((2, 32, 32, 3), np.uint8), numbers=np.arange(2)).shape
    (2, 32, 32, 3)

CIFAR-10-C itself, as it is published, is read by :class:`slr_keras.corruptions._on_disk.OnDisk`.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from slr_keras.settings import registry

    return registry.by_class_name("corruptions", name)
