"""Errors whose text is written for the person at the keyboard.

The command line prints them as one line and leaves with exit code 2; everything
else that escapes a job is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable

TIME_IS_UP = 75  # exit code of a run that left before its time limit; EX_TEMPFAIL of sysexits.h
PROCESS_LOST = "another process of the run ended; go on with --resume"


class UserError(ValueError):
    """Something the user can mend: says what was expected, what came and what to do."""


class SettingError(UserError):
    """A setting is unknown, of the wrong type or out of range.

    ``path`` is the dotted name of the setting, ``attack.eps`` for example.
    """

    def __init__(self, path: str, message: str):
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class DataError(UserError):
    """A data set is missing, unreadable or outside what the models expect."""


class ModelError(UserError):
    """A model cannot be used: wrong input, wrong number of classes, no logits."""


class RunError(UserError):
    """A run folder or a checkpoint cannot be used as asked."""


class NonFiniteLossError(RuntimeError):
    """The training loss became NaN or infinite; the last good checkpoint stays."""


class ProcessLostError(RuntimeError):
    """Another process of a run ended; the last good checkpoint stays."""


class ExportError(RuntimeError):
    """An exported model cannot be read back or is not the one that was trained."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``" Did you mean 'momentum'?"`` for a near miss, else the list of what is known."""
    import difflib

    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(options)}." if options else ""
