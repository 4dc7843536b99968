"""How long the rest of a study takes, by what its folder holds of stages that are done or begun."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Collection, Iterable

from slr_keras import texts
from slr_keras.run_folder import RunFolder
from slr_keras.studies.plan import StudyRun
from slr_keras.studies.work import TRAIN, Place, Stage


@dataclasses.dataclass(frozen=True)
class Left:
    """What is left of a study.

    Attributes:
        seconds: that the rest takes, as far as it can be told.
        done: share of the whole that is done, in [0, 1].
        whole: whether the seconds hold all that is left; no evaluation has ended yet where not.
    """

    seconds: float
    done: float
    whole: bool


@dataclasses.dataclass(frozen=True)
class Timed:
    """A stage, the seconds that it took so far, and those that it will; None: it is not begun."""

    stage: Stage
    spent: float = 0.0
    rest: float | None = None


class Pace:
    """Estimates of a study's rest; it reads each finished stage once.

    A stage that is not begun is taken to last as those of its kind, of the same arm where there are
    any; a training that goes on, as its epochs have lasted.

    Args:
        place: the study's folder.
    """

    def __init__(self, place: Place):
        self.place = place
        self._lasted: dict[str, Timed] = {}  # by the stage's name

    def left(self, workers: int, without: Collection[str] = ()) -> Left | None:
        """What is left for so many runs at once; None as long as nothing tells.

        Args:
            workers: runs at once.
            without: names of runs that are given up.
        """
        runs = [run for run in self.place.study.runs if run.name not in without]
        missing = [stage for run in runs for stage in self._missing(run)]
        begun = {str(stage): timed for stage in missing if (timed := self._begun(stage))}
        known = [*self._lasted.values(), *begun.values()]
        if not known:
            return None
        rests = [_rest(known, begun.get(str(stage), Timed(stage))) for stage in missing]
        rest, spent = sum(filter(None, rests)), sum(timed.spent for timed in known)
        at_once = max(1, min(workers, len({stage.run.name for stage in missing})))
        return Left(rest / at_once, spent / max(spent + rest, 1e-9), None not in rests)

    def _missing(self, run: StudyRun) -> list[Stage]:
        """The missing stages of a run; how long the others lasted is kept."""
        if self.place.changes(run):
            return []  # it will be refused
        stages = [stage for stage in self.place.stages(run) if str(stage) not in self._lasted]
        done = [stage for stage in stages if self.place.done(stage)]
        self._lasted |= {str(stage): Timed(stage, self._seconds(stage), 0.0) for stage in done}
        return [stage for stage in stages if stage not in done]

    def _seconds(self, stage: Stage) -> float:
        """How long a finished stage lasted, as its file says."""
        if stage.name == TRAIN:
            file, key = self.place.run_dir(stage.run) / "summary.json", "training_seconds"
        else:
            file, key = self.place.evaluation(stage.run, stage.name), "seconds"
        try:
            return float(texts.from_json(file.read_bytes())[key])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0

    def _begun(self, stage: Stage) -> Timed | None:
        """A training that has some epochs behind it."""
        epochs = RunFolder(self.place.run_dir(stage.run)).epochs() if stage.name == TRAIN else []
        if not epochs:
            return None
        last = epochs[-1]
        others = stage.run.config.train.epochs - last.epoch
        return Timed(stage, last.seconds, max(others, 0) * last.seconds / last.epoch)


def _rest(known: Iterable[Timed], timed: Timed) -> float | None:
    """Seconds that a stage still takes; None where none of its kind has told."""
    if timed.rest is not None:
        return timed.rest
    alike = [one for one in known if one.stage.name == timed.stage.name]
    own = [one for one in alike if one.stage.run.arm == timed.stage.run.arm]
    return (
        statistics.fmean(one.spent + (one.rest or 0.0) for one in own or alike) if alike else None
    )
