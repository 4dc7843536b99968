"""Label schemes: what the loss compares with. One file each, settings and formulae together."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from slr_keras.settings import registry

    return registry.by_class_name("labels", name)
