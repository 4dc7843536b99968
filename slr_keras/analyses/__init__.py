"""What explains a run: one file a quantity, with its formula, source and settings.

Each is a pure function of arrays beside the class that measures it on a network at the evaluations
of a run (``--analysis.record``); ``slr_keras.report`` draws it over the epochs.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from slr_keras.settings import registry

    return registry.by_class_name("analyses", name)
