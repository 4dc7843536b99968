"""Own networks, methods, labels, attacks and the like: all that a plug-in imports.

A plug-in is a Python file, or a module of an installed package, that defines variants: frozen
dataclasses with a ``name``, whose fields are made with :func:`setting`. With ``--plugin FILE.py``
they stand beside those that ship: flags, ``--help``, TOML, form, ``--list``, resume, report, lab
and evaluation know them, on three backends. No list is edited.

    >>> import dataclasses
    >>> from slr_keras import plugin
    >>> from slr_keras.backend import keras
    >>> @dataclasses.dataclass(frozen=True)
    ... class Linear(plugin.Model):
    ...     \"\"\"A linear classifier.\"\"\"
    ...     name = "linear"
    ...     scale: float = plugin.setting(1.0, help="factor of the pixels", above=0)
    ...     def build(self, input_shape, num_classes):
    ...         x = image = keras.Input(input_shape)
    ...         x = keras.layers.Flatten()(keras.layers.Rescaling(self.scale)(x))
    ...         return keras.Model(image, keras.layers.Dense(num_classes)(x))
    >>> Linear(scale="1/2").scale
    0.5

The base class says what a part has to give, and is where its contract stands:

- :class:`Model`: ``build(input_shape, num_classes)``; chosen by ``--model.name``.
- :class:`Method`: ``loss``, ``objective``, ``fitted``; ``--method.name``.
- :class:`Labels`: ``given``, ``refine``, ``target``, ``pull``; ``--labels.name``.
- :class:`Attack`: ``run(objective, x, seed)``; ``--attack.name``, ``evaluate --attacks``.
- :class:`Augmentation`: ``draw(seed, epoch, index, size)``, ``apply``; ``--data.augment``.
- :class:`Corruption`: ``draw(draws, shape)``, ``change(images, *drawn)``; a kind of natural change.
- :class:`Optimizer`: ``build(learning_rate)``; ``--optimizer.name``.
- :class:`Schedule`: ``build(learning_rate, epochs, steps_per_epoch)``; ``--schedule.name``.
- :class:`Data`: ``load(settings)``, ``matches(name)``; ``--data.name``.
- :class:`Analysis`: ``measure(probe)``; ``--analysis.record``.
- :class:`Diagnosis`: ``look(seen)``; asked in every run.

``slr_keras.backend`` gives ``keras``, ``ops`` and ``np``, which are imported when they are first
used, so that ``--help`` stays quick. An installed package announces its modules by the entry point
group ``slr_keras.plugins``. A run folder keeps the source of what it was made with.
"""

from __future__ import annotations

from slr_keras import losses
from slr_keras.analyses._base import Analysis, Images, Probe
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective
from slr_keras.augmentations._base import Augmentation
from slr_keras.corruptions._base import Corruption
from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Source as Data
from slr_keras.data._source import Splits
from slr_keras.diagnoses._base import Diagnosis, Seen
from slr_keras.errors import DataError, ModelError, SettingError, UserError
from slr_keras.labels._base import Labels
from slr_keras.methods._base import Method, Outputs
from slr_keras.models._base import Architecture as Model
from slr_keras.optimizers._base import OptimizerSettings as Optimizer
from slr_keras.schedules._base import Schedule
from slr_keras.settings.plugins import use
from slr_keras.settings.schema import PIXELS, setting

__all__ = [
    "PIXELS",
    "Analysis",
    "Attack",
    "Augmentation",
    "Corruption",
    "Data",
    "DataError",
    "DataSettings",
    "Diagnosis",
    "Images",
    "Labels",
    "Method",
    "Model",
    "ModelError",
    "Objective",
    "Optimizer",
    "Outputs",
    "Probe",
    "Schedule",
    "Seen",
    "SettingError",
    "Splits",
    "UserError",
    "losses",
    "setting",
    "use",
]
