"""``slr-keras JOB ...`` or ``python -m slr_keras JOB ...``: all jobs behind one word."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from slr_keras import __version__
from slr_keras.errors import UserError, did_you_mean
from slr_keras.terminal import cli

JOBS = {
    "train": "train a model, or go on with --resume",
    "evaluate": "clean and robust accuracy under a row of attacks",
    "attack": "attack one image",
    "export": "write a network for others: SavedModel, ONNX, ...",
    "report": "an HTML page of some runs",
    "study": "a grid of runs, their evaluation and the table of it",
    "check": "own parts, checked as ours are",
    "transfer": "whose attack fools whom: a matrix over models",
    "shelf": "trained networks with digests and their figures",
}
HELP = ("-h", "--help", "help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Hand on to a job; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in HELP:
        print(_usage())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        print(f"slr-keras {__version__}")
        return 0
    if words[0] not in JOBS:
        raise UserError(f"unknown job: {words[0]}.{did_you_mean(words[0], JOBS)}")
    job = importlib.import_module(f"slr_keras.{words[0]}")
    return int(job.main(words[1:]))


def _usage() -> str:
    jobs = "\n".join(f"  {name:10} {words}" for name, words in JOBS.items())
    return f"usage: {cli.INSTALLED} JOB ...\n\n{jobs}\n\n{cli.INSTALLED} JOB --help: its flags"


def command() -> int:
    """What the installed command calls: bad input is one line and exit code 2."""
    return cli.run(main)


if __name__ == "__main__":
    sys.exit(command())
