"""Images and labels as an evaluation takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras import data, networks
from slr_keras.checks import check_classifier, check_images, check_labels


def usable(net: Any, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images and class numbers as arrays; raises :class:`UserError` if they do not fit."""
    check_classifier(net)
    x = np.asarray(x)
    check_images(data.as_float(x[:1]) if x.dtype == np.uint8 else x, networks.input_shape(net))
    return x, check_labels(y, len(x), networks.num_classes(net))
