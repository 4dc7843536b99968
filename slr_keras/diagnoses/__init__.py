"""What can go wrong in a run, one file each: the figure it watches, when it speaks, what it says.

A diagnosis speaks once a run, in a sentence: what is seen, the likely cause as this run's own
settings show it, and the flag that helps. It looks at figures that are measured anyway.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from slr_keras.settings import registry

    return registry.by_class_name("diagnoses", name)
