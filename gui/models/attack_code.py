"""The attack on the bench as a Python program that runs as pasted."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from slr_keras.settings import registry, schema
from slr_keras.settings.schema import Setting

from .attack_settings import attack_rows
from .lab import Bench
from .lab_parts import Image, Model


def snippet(bench: Bench, slot: str = "a", image_file: str = "") -> str:
    """The program; empty while there is no model or no image.

    Args:
        image_file: a ``.npy`` with the image, for images that are in no run's test set.
    """
    model, image = bench.slots[slot].model, bench.image
    if model is None or image is None:
        return ""
    parts = [
        _head(model, image),
        _model(model),
        _image(model, image, image_file),
        _labels(bench, slot, image),
        _attack(bench),
        _report(bench),
    ]
    return "\n".join(parts)


def from_test_set(model: Model, image: Image) -> bool:
    """Whether a run's data settings say where the image is from."""
    return image.index is not None and not model.source.is_file


def _head(model: Model, image: Image) -> str:
    title = f"{image.title or 'One image'} attacked on {model.source.title}.".replace('"', "'")
    where = "Run it in the folder of slr_keras, or with the package installed."
    lines = [
        f'"""{title}',
        "",
        where,
        '"""',
        "",
        "import keras",
        "import numpy as np",
        "import slr_keras as slr",
    ]
    if from_test_set(model, image):
        lines.append("from slr_keras import config")
    if model.source.which == "current" and not model.source.is_file:
        lines.append("from slr_keras.lab.models import Shelf")
    return "\n".join(lines) + "\n"


def _model(model: Model) -> str:
    source = pathlib.Path(model.source.path).absolute()
    if model.source.is_file:
        return f"model = slr.load_model({_text(source)})\n"
    if model.source.which == "current":
        return (
            "shelf = Shelf()\n"
            f'shelf.load({_text(source)}, "current")  # its newest checkpoint\n'
            "model = shelf.model.engine.net\n"
        )
    return f"model = slr.load_model({_text(source / f'{model.source.which}.keras')})\n"


def _image(model: Model, image: Image, file: str) -> str:
    if not from_test_set(model, image):
        return f"x = np.load({_text(file)})[None]  # (1, height, width, channels), in [0, 1]\n"
    config = pathlib.Path(model.source.path).absolute() / "config.toml"
    return (
        f"settings = config.load(file={_text(config)})\n"
        "data = slr.data.load(settings.data, settings.seed)\n"
        f"x = slr.data.as_float(data.x_test[[{image.index}]])\n"
    )


def _labels(bench: Bench, slot: str, image: Image) -> str:
    if bench.target is not None:
        return f"y = np.array([{bench.target}])  # the class to reach\n"
    if image.label is not None:
        return f"y = np.array([{image.label}])  # its class\n"
    result = bench.result_of_image(slot)
    if result is not None:
        return f"y = np.array([{result.done.label}])  # what the model says of the clean image\n"
    return "y = np.argmax(model(x), axis=-1)  # what the model says of the clean image\n"


def _attack(bench: Bench) -> str:
    cls = registry.get("attacks", bench.attack_name)
    values = {**bench.values, "targeted": bench.target is not None}
    rows = {row.name: row for row in attack_rows(bench.attack_name)}
    lines = [f"    {name}={_literal(value, rows.get(name))}," for name, value in values.items()]
    body = "\n".join(lines)
    return (
        f"attack = slr.attacks.{cls.__name__}(\n{body}\n)\n"
        f"x_adv = attack(model, x, y, seed={bench.seed})\n"
    )


def _literal(value: Any, row: Setting | None) -> str:
    shown = schema.show(value, row.facts) if row is not None else value
    if isinstance(shown, str) and shown.endswith("/255") and isinstance(value, float):
        return shown.replace("/", " / ")
    return _text(shown) if isinstance(shown, str) else repr(value)


def _text(value: object) -> str:
    """A Python string with double quotes."""
    return json.dumps(str(value), ensure_ascii=False)


def _report(bench: Bench) -> str:
    measure = (
        "np.abs(x_adv - x).max()" if bench.values["norm"] == "linf" else "np.linalg.norm(x_adv - x)"
    )
    return (
        "before = keras.ops.softmax(model(x, training=False))[0]\n"
        "after = keras.ops.softmax(model(x_adv, training=False))[0]\n"
        'print("clean      ", int(np.argmax(before)), float(np.max(before)))\n'
        'print("adversarial", int(np.argmax(after)), float(np.max(after)))\n'
        f'print("distance   ", float({measure}) * 255, "/ 255")\n'
    )
