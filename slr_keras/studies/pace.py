"""How long the rest of a study takes, by what its folder holds of stages that are done or begun."""

from __future__ import annotations

import collections
import dataclasses
import statistics
from collections.abc import Collection, Iterable

from slr_keras import texts
from slr_keras.protocol.events import EpochEnded
from slr_keras.run_folder import RunFolder
from slr_keras.studies.plan import StudyRun
from slr_keras.studies.work import TRAIN, Place, Stage


@dataclasses.dataclass(frozen=True)
class Left:
    """What is left of a study.

    Attributes:
        seconds: that the rest takes, as far as it can be told.
        done: share of the stages that is done, in [0, 1]; a training counts by its epochs.
        whole: whether the seconds hold all that is left; no evaluation has ended yet where not.
    """

    seconds: float
    done: float
    whole: bool


@dataclasses.dataclass(frozen=True)
class Timed:
    """A stage that is done or begun: the seconds that it took so far, and those that it will."""

    stage: Stage
    spent: float
    rest: float

    @property
    def whole(self) -> float:
        """Seconds from its beginning to its end."""
        return self.spent + self.rest


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
        usual = _usual(known)
        rests = [
            begun[str(stage)].rest
            if str(stage) in begun
            else usual.get((stage.name, stage.run.arm), usual.get((stage.name, "")))
            for stage in missing
        ]
        done = len(self._lasted) + sum(t.spent / t.whole for t in begun.values() if t.whole)
        at_once = max(1, min(workers, len({stage.run.name for stage in missing})))
        return Left(
            seconds=sum(filter(None, rests)) / at_once,
            done=done / (len(self._lasted) + len(missing)),
            whole=None not in rests,
        )

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
        folder = RunFolder(self.place.run_dir(stage.run))
        last = folder.last_epoch() if stage.name == TRAIN else None
        if last is None:
            return None
        return Timed(stage, last.seconds, rest_of_training(last, stage.run.config.train.epochs))


def rest_of_training(last: EpochEnded, epochs: int) -> float:
    """Seconds that a training of so many epochs goes on after one, as those before it lasted."""
    return max(epochs - last.epoch, 0) * last.seconds / last.epoch


def _usual(known: Iterable[Timed]) -> dict[tuple[str, str], float]:
    """Mean seconds of the stages of a kind: of each arm, and of all under the name ``""``."""
    found = collections.defaultdict(list)
    for timed in known:
        for arm in (timed.stage.run.arm, ""):
            found[timed.stage.name, arm].append(timed.whole)
    return {key: statistics.fmean(seconds) for key, seconds in found.items()}
