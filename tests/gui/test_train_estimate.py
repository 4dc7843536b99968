"""Time: of an epoch before the run, to the end during it; and the sentences of its phases."""

import dataclasses

import pytest

from gui.models import estimate as estimating
from gui.models.epochs import Epochs
from gui.models.estimate import Eta, duration, estimate, passes
from gui.models.progress import Progress
from slr_keras import config
from slr_keras.protocol import events


@dataclasses.dataclass
class Earlier:
    config: config.RunConfig | None
    epochs: Epochs


def settings(**values):
    return config.load(values=values)


def epoch(number, seconds, speed=1000.0):
    values = {field.name: None for field in dataclasses.fields(events.EpochEnded)}
    values |= {"epoch": number, "epochs": 30, "seconds": seconds, "images_per_second": speed}
    return events.EpochEnded(**values)


def earlier(run=None, first=9.0, each=2.0, count=5):
    """The first epoch holds the compiling."""
    ends = Epochs(epoch(n + 1, first + n * each) for n in range(count))
    return Earlier(run or settings(), ends)


# -- before the run ----------------------------------------------------------------------------


def test_passes_of_an_image():
    assert passes(settings(method={"name": "at"})) == 11
    assert passes(settings(method={"name": "slr"})) == pytest.approx(11 + 1 / 3)
    assert passes(settings(method={"name": "standard"})) == 1
    assert passes(settings(method={"name": "at"}, attack={"steps": 5, "restarts": 2})) == 11
    assert passes(settings(method={"name": "at"}, attack={"name": "fgsm"})) == 2


def test_nothing_is_known_without_a_run_like_it():
    run = settings()
    assert estimate(run, []) is None
    others = [
        settings(model={"width": 32}),
        settings(model={"name": "resnet18"}),
        settings(data={"name": "cifar10"}),
        settings(train={"batch_size": 16}),
        settings(precision="mixed_bfloat16"),
    ]
    assert estimate(run, [earlier(other) for other in others]) is None
    none, one = Epochs(), Epochs([epoch(1, 2.0)])
    assert estimate(run, [Earlier(None, none), Earlier(run, none), Earlier(None, one)]) is None


def test_an_equal_run_predicts_training_and_evaluation():
    # 2 s at 1000 images/s: 2000 images of 34/3 passes; evaluation: 500 + 500 of 32/3
    found = estimate(settings(), [earlier()])
    assert found.runs == 1
    assert found.seconds == pytest.approx(2 * (1 + 1000 * 32 / (2000 * 34)))


def test_compiling_is_left_out_and_a_single_epoch_does():
    assert estimate(settings(), [earlier(first=60)]).seconds < 4
    assert estimate(settings(), [earlier(first=3, count=1)]).seconds > 3


def test_it_scales_with_steps_and_with_samples():
    one = estimate(settings(eval={"every": 1000}), [earlier()])
    two = estimate(settings(eval={"every": 1000}, attack={"steps": 20}), [earlier()])
    assert two.seconds / one.seconds == pytest.approx((21 + 1 / 3) / (11 + 1 / 3), rel=0.01)
    few = estimate(settings(eval={"every": 1000}, data={"train_samples": 500}), [earlier()])
    assert few.seconds / one.seconds == pytest.approx(500 / 2000, rel=0.02)
    assert estimate(settings(), [earlier(settings(data={"train_samples": 500}))]) is None


def test_the_median_of_several_runs():
    runs = [earlier(each=each) for each in (1.0, 2.0, 9.0)]
    found = estimate(settings(), runs)
    assert found.runs == 3
    assert found.seconds == pytest.approx(estimate(settings(), [runs[1]]).seconds)
    assert "judging by 3 earlier runs" in found.sentence(30)


def test_of_very_many_runs_the_first_count_and_no_other_is_looked_at():
    def runs():
        yield from (earlier(each=1.0) for _ in range(estimating.MOST))
        pytest.fail("one too many")

    found = estimate(settings(), runs())
    assert found.runs == estimating.MOST
    assert found.seconds == estimate(settings(), [earlier(each=1.0)]).seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.1 s"),
        (1.26, "1.3 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3599.9, "1 h"),
        (12000, "3 h 20 min"),
        (190000, "2 d 5 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


# -- during the run ----------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def run_epochs(eta, clock, first, last, epochs, seconds=10.0, batches=10):
    for number in range(first, last + 1):
        eta.epoch_begun(number, epochs)
        for batch in range(1, batches + 1):
            clock.now += seconds / batches
            eta.batch_ended(batch, batches)
        eta.epoch_ended()


def test_nothing_is_known_before_the_second_batch():
    clock = Clock()
    eta = Eta(clock)
    assert eta.left() is None
    eta.epoch_begun(1, 3)
    clock.now += 30  # compiling
    eta.batch_ended(1, 10)
    assert eta.left() is None
    clock.now += 1
    eta.batch_ended(2, 10)
    assert eta.rough and eta.left() == pytest.approx(28)


def test_whole_epochs_then_their_parts():
    clock = Clock()
    eta = Eta(clock)
    run_epochs(eta, clock, 1, 4, 10)
    assert not eta.rough and eta.left() == pytest.approx(60)
    eta.epoch_begun(5, 10)
    clock.now += 4
    assert eta.left() == pytest.approx(56)


def test_the_first_epoch_with_its_compiling_is_forgotten():
    clock = Clock()
    eta = Eta(clock)
    run_epochs(eta, clock, 1, 1, 10, seconds=100)
    run_epochs(eta, clock, 2, 2, 10, seconds=10)
    assert eta.left() == pytest.approx(80)


def test_pauses_do_not_count():
    clock = Clock()
    eta = Eta(clock)
    run_epochs(eta, clock, 1, 2, 10)
    eta.epoch_begun(3, 10)
    clock.now += 5
    eta.pause()
    clock.now += 10_000
    assert eta.left() == pytest.approx(75)
    eta.proceed()
    clock.now += 5
    eta.epoch_ended()
    assert eta.left() == pytest.approx(70)


def test_the_rest_of_an_epoch_is_no_measure():
    clock = Clock()
    eta = Eta(clock)
    eta.epoch_begun(5, 10, whole=False)
    clock.now += 1
    eta.epoch_ended()
    assert eta.left() is None


# -- phases ------------------------------------------------------------------------------------


def test_sentences_of_the_phases():
    progress = Progress()
    assert progress.sentence() == "Starting Python…"
    for phase, part in (
        ("importing", "Importing TensorFlow"),
        ("loading data", "Loading the data"),
        ("compiling", "about 10 s"),
        ("something new", "Something new…"),
    ):
        progress.take(events.PhaseStarted(phase))
        assert part in progress.sentence() and not progress.training
    progress.epochs = 30
    progress.take(events.PhaseStarted("epoch", 1))
    progress.take(events.BatchEnded(1, 1, 9, 1.0, 0.5, 0.4, 812.3))
    assert progress.sentence() == "Epoch 1 of 30" and progress.training
    assert progress.speed() == "812 images/s"
    progress.take(events.PhaseStarted("evaluating", 1))
    assert progress.sentence() == "Epoch 1 of 30: measuring clean and robust accuracy"
    progress.take(events.Progress("evaluating", 250, 1000))
    assert progress.sentence().endswith("robust accuracy, 250 of 1,000 images")
    progress.take(events.PhaseStarted("compiling", 2))  # the refinement starts
    assert "about 10 s" in progress.sentence() and progress.training
    progress.take(events.PhaseStarted("testing"))
    assert progress.sentence() == "Testing the best and the final model…"


def test_numbers_that_are_missing_do_no_harm():
    progress = Progress()
    progress.take(events.BatchEnded(1, 1, 9, None, None, None, None))
    progress.take(epoch(1, 2.0, speed=None))
    assert progress.speed() == "" and progress.time_left() == ""
    progress.take(object())


def test_epochs_finished_and_begun():
    progress = Progress()
    progress.batches = 4
    for event, finished, begun in (
        (events.PhaseStarted("epoch", 3), 2, 2),
        (events.BatchEnded(3, 1, 4, 1.0, 0.5, 0.4, 10.0), 2, 3),
        (epoch(3, 2.0), 3, 3),
        (events.PhaseStarted("epoch", 4), 3, 3),
    ):
        progress.take(event)
        assert (progress.finished, progress.begun) == (finished, begun), event
