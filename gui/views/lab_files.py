"""What the lab takes from files, and what it gives to files and the clipboard."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QMimeData, QObject, QStandardPaths
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from slr_keras.image_formats import SUFFIXES

from ..models.attack_code import from_test_set, snippet
from ..models.lab_parts import Source
from ..presenters.lab import LabPresenter
from . import lab_figure
from .lab_path import PathAndSweep
from .lab_sources import best_source


class LabFiles(QObject):
    """Opens models and images, saves the comparison, copies the attack as Python.

    Args:
        screen: over which dialogs open.
        lab: takes what is opened.
        charts: are saved with the images.
        factor: by which the perturbation is amplified; None fits it to epsilon.
        say: a sentence for the window's foot.
    """

    def __init__(
        self,
        screen: QWidget,
        lab: LabPresenter,
        charts: PathAndSweep,
        factor: Callable[[], float | None],
        say: Callable[[str], object],
    ):
        super().__init__(screen)
        self._screen, self._lab, self._say = screen, lab, say
        self._charts, self._factor = charts, factor

    # -- from files ---------------------------------------------------------------------------

    def open_model(self, slot: str, folder: pathlib.Path) -> None:
        """Choose a ``.keras`` file, from a folder at first."""
        path, _ = QFileDialog.getOpenFileName(
            self._screen, "Open a model", str(folder), "Keras models (*.keras)"
        )
        if path:
            self._lab.load(slot, Source(path, "final"))

    def open_image(self) -> None:
        """Choose an image file."""
        kinds = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(
            self._screen, "Open an image", "", f"Images ({kinds})"
        )
        if path:
            self._take_image(path)

    def take(self, path: pathlib.Path) -> None:
        """Use a file or folder as what it is: attack the image, or load the model as A."""
        if path.is_dir():
            self._lab.load("a", best_source(str(path)))
        elif path.suffix == ".keras":
            self._lab.load("a", Source(str(path), "final"))
        else:
            self._lab.start()
            self._take_image(str(path))

    def _take_image(self, path: str) -> None:
        self._lab.many.look(False)
        self._lab.pick("file", path=path)

    # -- to files -----------------------------------------------------------------------------

    def save_figure(self) -> None:
        """Ask for a name and write the comparison."""
        path, chosen = QFileDialog.getSaveFileName(
            self._screen, "Save figure", "attack.png", "PNG image (*.png);;SVG drawing (*.svg)"
        )
        if not path:
            return
        if not pathlib.Path(path).suffix:
            path += ".svg" if "svg" in chosen else ".png"
        self.write_figure(pathlib.Path(path))

    def write_figure(self, path: pathlib.Path) -> None:
        """Write the comparison and say how it went."""
        bench = self._lab.bench
        charts = {"Path of the attack: margin in colour, loss grey": self._charts.trajectory}
        if any(slot.sweep is not None for slot in bench.slots.values()):
            charts["True class over epsilon"] = self._charts.sweep_chart
        try:
            lab_figure.save(bench, path, self._factor(), charts)
        except OSError as error:
            self._say(str(error))
        else:
            self._say(f"Figure saved as {path}.")

    def copy_python(self) -> None:
        """Put the program of this attack on the clipboard."""
        bench = self._lab.bench
        model, image = bench.slots["a"].model, bench.image
        if model is None or image is None:
            return
        file = ""
        if not from_test_set(model, image):
            try:
                file = str(_write_image(image.pixels))
            except OSError as error:
                self._say(f"The image cannot be written: {error}.")
                return
        QGuiApplication.clipboard().setText(snippet(bench, "a", file))
        self._say("The attack is on the clipboard, as Python.")


def dropped(data: QMimeData) -> pathlib.Path | None:
    """The first file that can be used: an image, a model, a run folder."""
    for url in data.urls():
        path = pathlib.Path(url.toLocalFile())
        run = path.is_dir() and (path / "config.toml").is_file()
        if run or path.suffix.lower() in (*SUFFIXES, ".keras"):
            return path
    return None


def _write_image(pixels: np.ndarray) -> pathlib.Path:
    """A file of the app's own with the image as the attack sees it."""
    place = QStandardPaths.StandardLocation.AppDataLocation
    folder = pathlib.Path(QStandardPaths.writableLocation(place)) / "images"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:12]
    path = folder / f"{digest}.npy"
    np.save(path, pixels)
    return path
