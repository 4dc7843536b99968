"""How a run, an evaluation or an export ended, and what can be done now."""

from __future__ import annotations

import dataclasses

from .death import Death
from .progress import Progress
from .queue import Job


@dataclasses.dataclass(frozen=True)
class Ending:
    """How the last run ended.

    Attributes:
        kind: ``done``, ``stopped``, ``discarded``, ``failed`` (it said why) or ``crashed`` (it
            did not: a signal, a defect, no start).
        job: the run.
        death: of its process.
        sentence: what happened and what can be done.
    """

    kind: str
    job: Job
    death: Death
    sentence: str


def ending_of(job: Job, death: Death, progress: Progress, wanted: str) -> Ending:
    """What an end means, and what can be done now."""
    if death.cause == "no_start":
        return Ending("crashed", job, death, death.sentence)
    if death.cause == "crash":
        return Ending("crashed", job, death, _crash(job, death, wanted))
    if death.well and progress.done:
        result = f" {progress.result}." if progress.result else ""
        return Ending("done", job, death, f"{job.name} is complete.{result}")
    if wanted == "discard" and death.well:
        return Ending("discarded", job, death, f"{job.name} was ended without saving.")
    if death.code == 0 and not progress.stopped and not wanted:  # there was nothing to do
        said = progress.warnings[-1:] or [f"The trainer of {job.name} ended."]
        return Ending("done", job, death, said[0])
    if death.well:
        return Ending("stopped", job, death, f"{job.name} stopped; its state is saved.")
    reason = progress.failure or _error_line(death)
    if reason:
        return Ending("failed", job, death, f"{job.name}: {reason}")
    who = f"The trainer of {job.name}" if job.trains else f"The {job.name}"
    sentence = f"{who} ended with code {death.code} and gave no reason."
    return Ending("crashed", job, death, sentence)


def _crash(job: Job, death: Death, wanted: str) -> str:
    happened = (
        f"{'The trainer' if job.trains else job.name} was ended by force."
        if wanted == "kill"
        else death.sentence
    )
    if job.trains:
        return f"{happened} {job.name} can be resumed from its last checkpoint."
    return f"{happened} {job.name} can be started again; an evaluation goes on where it was."


def _error_line(death: Death) -> str:
    """The sentence that a command prints after ``error:``."""
    for line in reversed(death.stderr):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    return ""
