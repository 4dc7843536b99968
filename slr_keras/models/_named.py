"""Networks that are told by what they are called: an application, a file, an earlier run."""

from __future__ import annotations

import os

from slr_keras.models._pretrained import Pretrained
from slr_keras.models.applications import PREFIX, Application
from slr_keras.models.keras_file import KerasFile

NETWORKS = ("best.keras", "final.keras")  # of a run folder, in order of preference
STAND_INS: dict[str, type[Pretrained]] = {
    cls.stand_in: cls.of(cls.stand_in) for cls in (Application, KerasFile)
}


def find(name: str) -> type[Pretrained] | None:
    """The architecture behind a name, or None if it is no such name.

    A run folder is its best network, else its final one: a configuration that names the file can
    be read when the run is gone.

    Example:
        >>> find("applications/MobileNetV3Small")().weights
        'none'
        >>> find("mine.keras")().new_head
        False
    """
    if name.startswith(PREFIX):
        return Application.of(name)
    if name.endswith(".keras"):
        return KerasFile.of(name)
    if not name or not os.path.isfile(os.path.join(name, "config.toml")):
        return None
    paths = [os.path.join(name, file) for file in NETWORKS]
    return KerasFile.of(next(filter(os.path.isfile, paths), paths[-1]))
