"""Own parts of the Train form: a worker tells their settings once a user has agreed to that."""

from __future__ import annotations

from PySide6.QtCore import QObject, QProcess, QSettings, QTimer, Signal

from slr_keras import texts

from ..models.form import Form
from ..models.own_parts import OwnParts
from ..worker import environment, program

ROW = "plugin"
SETTING = "own_parts/described"
AFTER = 600  # milliseconds after the last key: a path is being typed
COMMAND = "slr_keras.check"


class OwnPartsPresenter(QObject):
    """Watches the row of plug-ins.

    Signals:
        asks: a plug-in that nobody has agreed to run yet; answer with :meth:`agree`.
        message: a sentence for the window's foot.
    """

    asks = Signal(str)
    message = Signal(str)

    def __init__(self, form: Form, settings: QSettings, parent: QObject | None = None):
        super().__init__(parent)
        self._form, self._settings = form, settings
        self.parts = OwnParts(str(settings.value(SETTING, "")))
        self._seen: tuple[str, ...] = ()
        self._refused: set[str] = set()
        self._process: QProcess | None = None
        self._soon = QTimer(self, singleShot=True, interval=AFTER)
        self._soon.timeout.connect(self.look)
        form.changes.append(self._changed)

    @property
    def names(self) -> tuple[str, ...]:
        """The plug-ins of the form."""
        row = self._form.rows.get(ROW)
        return tuple(part.strip() for part in row.text.split(",") if part.strip()) if row else ()

    def _changed(self) -> None:
        if self.names != self._seen:
            self._soon.start()

    def look(self) -> None:
        """Let what is known stand for its parts, and ask for what is not."""
        self._seen = self.names
        unknown = [n for n in self.parts.unknown(self.names) if n not in self._refused]
        self._stand()
        if unknown and self._process is None:
            self.asks.emit(unknown[0])

    def _stand(self) -> None:
        before = self.parts.names
        for sentence in self.parts.stand(self.names):
            self.message.emit(sentence)
        if self.parts.names != before:
            self._form.renew()

    def agree(self, name: str, agreed: bool) -> None:
        """Run a plug-in in a worker to learn its settings, or leave it."""
        if not agreed:
            self._refused.add(name)
            self.message.emit(f"{name} was not run; its parts are not known.")
            return
        process = self._process = QProcess(self)
        command = program(COMMAND, name, "--describe")
        process.setProgram(command[0])
        process.setArguments(command[1:])
        process.setProcessEnvironment(environment({}))
        process.finished.connect(lambda code, _: self._told(name, code))
        process.errorOccurred.connect(lambda _: self._told(name, -1))
        process.start()

    def _told(self, name: str, code: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        out = bytes(process.readAllStandardOutput().data())
        error = bytes(process.readAllStandardError().data()).decode(errors="replace")
        process.deleteLater()
        last = (error.strip().splitlines() or ["no message"])[-1]
        try:
            told = texts.from_json(out.strip().splitlines()[-1])[name] if code == 0 else None
        except (ValueError, IndexError, KeyError, TypeError):
            told = None
        if told is None:
            self._refused.add(name)
            self.message.emit(f"{name} cannot be used: {last.removeprefix('error: ')}")
            return
        self.parts.learn(name, told)
        self._settings.setValue(SETTING, self.parts.text())
        self.look()

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            self._process.kill()
            self._process.waitForFinished(1000)
