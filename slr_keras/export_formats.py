"""The formats in which a network leaves, and what each of them needs."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
from collections.abc import Mapping

from slr_keras import installing
from slr_keras.errors import UserError


@dataclasses.dataclass(frozen=True)
class Format:
    """One of them.

    Attributes:
        keras: its name in ``keras.Model.export``; empty if that does not write it.
        place: where to by default, in the run folder; a folder unless it has a suffix.
        label: for people, with what reads it.
        needs: modules that write it and read it back.
        marker: a file that shows that a folder is such an export.
        since: the first version of Keras that writes it.
    """

    name: str
    keras: str
    place: str
    label: str
    needs: tuple[str, ...] = ()
    marker: str = ""
    since: tuple[int, int] = (3, 0)

    @property
    def suffix(self) -> str:
        """How its name ends, if it is a file."""
        return "" if self.marker else f".{self.place.rsplit('.', 1)[1]}"

    def check(self, wanted_by: str = "") -> None:
        """Raise :class:`UserError` if something that it needs is not installed."""
        missing = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if "tensorflow" in missing:
            raise UserError(
                f"{wanted_by}{self.title} is written by TensorFlow, which is not installed: "
                f"{installing.command('tensorflow')} beside this backend"
            )
        keras = importlib.metadata.version("keras")
        if tuple(map(int, keras.split(".")[:2])) < self.since:
            wanted = ".".join(map(str, self.since))
            raise UserError(f"{wanted_by}{self.title} needs Keras {wanted}, this is {keras}")
        if missing:
            raise UserError(
                f"{wanted_by}{self.title} needs {', '.join(missing)}: {installing.command('onnx')}"
            )

    @property
    def title(self) -> str:
        """With its article."""
        name = self.label.split(" (")[0]
        return f"an {name}" if name[0] in "AEO" else f"a {name}"


_ALL = (
    Format(
        "saved_model",
        "tf_saved_model",
        "savedmodel",
        "SavedModel (TensorFlow Serving, any TensorFlow program)",
        ("tensorflow",),
        "saved_model.pb",
    ),
    Format("keras", "", "exported.keras", ".keras file (any Keras, without this package)"),
    Format(
        "onnx",
        "onnx",
        "exported.onnx",
        "ONNX file (ONNX Runtime, most other frameworks)",
        ("tensorflow", "tf2onnx", "onnx", "onnxruntime"),
    ),
    Format(
        "litert",
        "litert",
        "exported.tflite",
        "LiteRT file (TensorFlow Lite: phones, microcontrollers)",
        ("tensorflow",),
        since=(3, 13),
    ),
    Format(
        "openvino",
        "openvino",
        "openvino",
        "OpenVINO folder (Intel's processors)",
        ("tensorflow", "openvino"),
        "model.xml",
    ),
)
FORMATS: Mapping[str, Format] = {one.name: one for one in _ALL}
OF_KERAS: Mapping[str, Format] = {one.keras: one for one in _ALL if one.keras}
