"""Every part that ships passes the checks that are offered for own parts; planted faults do not."""

import dataclasses

import keras
import numpy as np
import pytest

from slr_keras import check, testing
from slr_keras.attacks._norms import NORMS
from slr_keras.attacks.pgd import PGD
from slr_keras.backend import ops
from slr_keras.errors import SettingError
from slr_keras.plugin import (
    Analysis,
    Attack,
    Augmentation,
    Corruption,
    Data,
    Labels,
    Method,
    Model,
    Optimizer,
    Schedule,
    Splits,
    losses,
    setting,
)
from slr_keras.settings import plugins, registry

SMALL = {"models": ("small_cnn",), "data": ("digits",)}  # the others take long, or files
SHORT = {"steps": 12, "queries": 30, "searches": 1, "init_epsilon": 0.3}  # of an attack


def _attacks():
    for cls in registry.variants("attacks").values():
        names = {field.name for field in dataclasses.fields(cls)}
        for norm in NORMS:
            try:
                yield cls(norm=norm, **{k: v for k, v in SHORT.items() if k in names})
            except SettingError:
                continue


def _others():
    for kind in registry.KINDS:
        if kind != "attacks":
            known = registry.variants(kind)
            yield from (known[name] for name in SMALL.get(kind, known))


@testing.parametrize_with_checks(_others())
def test_what_ships_keeps_to_the_contracts(part, check):
    check(part)


@pytest.mark.parametrize(
    ("attack", "check"),
    [
        pytest.param(attack, check, id=f"{attack.name}-{attack.norm}-{check.__name__}")
        for attack in _attacks()
        for check in testing.checks_of(attack)
    ],
)
def test_attacks_keep_to_the_contracts(attack, check):
    check(attack)


# -- planted faults: what has to be said of each ----------------------------------------------

frozen = dataclasses.dataclass(frozen=True)


@frozen
class Outside(PGD):
    """Steps out of the ball."""

    name = "outside"

    def run(self, objective, x, seed):
        return ops.clip(super().run(objective, x, seed) + 1e-3, 0.0, 1.0)


@frozen
class Lazy(Attack):
    """Finds nothing."""

    name = "lazy"

    def run(self, objective, x, seed):
        return x + 0.0


@frozen
class Undecided(PGD):
    """Another result each time."""

    name = "undecided"

    def run(self, objective, x, seed):
        return self.inside(x, x + keras.random.normal(ops.shape(x), seed=_DRAWN))


_DRAWN = keras.random.SeedGenerator(3)


@frozen
class Probabilities(Model):
    """Ends in a softmax."""

    name = "probabilities"

    def build(self, input_shape, num_classes):
        image = keras.Input(input_shape)
        x = keras.layers.Dense(num_classes, activation="softmax")(keras.layers.Flatten()(image))
        return keras.Model(image, x)


@frozen
class Unreached(Model):
    """Has a weight that nothing depends on."""

    name = "unreached"

    def build(self, input_shape, num_classes):
        image = keras.Input(input_shape)
        x = keras.layers.Flatten()(image)
        dead = keras.layers.Rescaling(0.0)(keras.layers.Dense(num_classes, name="dead")(x))
        return keras.Model(image, keras.layers.Add()([dead, keras.layers.Dense(num_classes)(x)]))


@frozen
class Unseeded(Model):
    """Initial weights by chance."""

    name = "unseeded"

    def build(self, input_shape, num_classes):
        image = keras.Input(input_shape)
        net = keras.Model(image, keras.layers.Dense(num_classes)(keras.layers.Flatten()(image)))
        drawn = [np.random.default_rng().normal(size=w.shape) for w in net.get_weights()]
        net.set_weights(drawn)
        return net


@frozen
class Heavy(Labels):
    """Rows that sum to more than 1."""

    name = "heavy"

    def given(self, one_hot):
        return 1.1 * one_hot


@frozen
class Early(Labels):
    """Softens before its start."""

    name = "early"
    refines = True

    def refining(self, epoch):
        return epoch >= 3

    def given(self, one_hot):
        return 0.9 * one_hot + 0.1 / one_hot.shape[-1]


@frozen
class Ending(Labels):
    """Stops refining."""

    name = "ending"
    refines = True

    def refining(self, epoch):
        return 3 <= epoch < 9


@frozen
class Stopped(Method):
    """Stops a gradient on the way."""

    name = "stopped"

    def loss(self, z, target, label):
        return losses.soft_cross_entropy(ops.stop_gradient(z.trained) + 0 * z.trained, target)


@frozen
class Overflowing(Method):
    """Infinite at large logits."""

    name = "overflowing"

    def loss(self, z, target, label):
        p = ops.exp(z.trained) / ops.sum(ops.exp(z.trained), axis=-1, keepdims=True)
        return -ops.sum(target * ops.log(p), axis=-1)


@frozen
class Batchwise(Augmentation):
    """Draws by the place in the batch."""

    name = "batchwise"
    width = 1

    def draw(self, seed, epoch, index, size):
        return np.arange(len(index), dtype="int32")[:, None] + epoch

    def apply(self, images, numbers, xp):
        return xp.flip(images, axis=2)


@frozen
class Neighbourly(Corruption):
    """Mixes the images of a batch."""

    name = "neighbourly"
    group = "blur"

    def change(self, images, *drawn):
        return (images * (1 - 0.1 * self.severity) + 0.1 * self.severity * images.mean(axis=0)) // 1


@frozen
class Uphill(Optimizer):
    """Goes the wrong way."""

    name = "uphill"

    def build(self, learning_rate):
        return keras.optimizers.SGD(-learning_rate)


@frozen
class Negative(Schedule):
    """Falls below 0."""

    name = "negative"

    def build(self, learning_rate, epochs, steps_per_epoch):
        return keras.optimizers.schedules.PolynomialDecay(learning_rate, 30, -learning_rate)


@frozen
class Dropless(Schedule):
    """Says that it drops, and does not."""

    name = "dropless"

    def build(self, learning_rate, epochs, steps_per_epoch):
        return learning_rate

    def drops(self, epochs):
        return (5,)


@frozen
class Shuffled(Data):
    """Another order each time."""

    name = "shuffled"

    @staticmethod
    def load(settings):
        draw = np.random.default_rng()
        return Splits(draw.random((60, 4, 4)).astype("float32"), np.arange(60) % 3)


@frozen
class Nameless(Analysis):
    """A scalar without a column."""

    name = "nameless"

    def measure(self, probe):
        return {"x": 1.0}, {}


@frozen
class Silent(Labels):
    name = "silent"
    rate: float = setting(0.1, help="", at_least=0)


FAULTS = {
    Outside: ("stays_in_the_ball_and_in_the_pixel_range", "outside the ball of radius 0.0314"),
    Lazy: ("beats_random_noise", "after random noise"),
    Undecided: ("same_seed_same_result", "twice the same seed"),
    Probabilities: ("gives_logits", "softmax"),
    Unreached: ("gradient_reaches_every_weight", "the weight dead/kernel gets no gradient"),
    Unseeded: ("equal_seeds_build_equal_networks", "the same seed gives other weights"),
    Heavy: ("rows_stay_distributions", "a given label sums to 1 only to 0.1"),
    Early: ("before_its_start_it_is_the_plain_method", "another than with given labels"),
    Ending: ("once_begun_it_goes_on", "refinement ends again"),
    Stopped: ("gradient_agrees_with_finite_differences", "off the differences"),
    Overflowing: ("loss_and_gradient_are_finite", "NaN, infinite"),
    Batchwise: ("numbers_hang_on_the_sample_alone", "numbers depend on the batch"),
    Neighbourly: ("results_hang_on_the_image_alone", "batches matter"),
    Uphill: ("goes_downhill", "steps on a bowl"),
    Negative: ("rates_are_rates", "below 0"),
    Dropless: ("drops_are_where_it_says", "does not drop at epoch 5"),
    Shuffled: ("reads_the_same_twice", "another order"),
    Nameless: ("scalars_are_numbers_with_names", "x: has no entry in columns"),
    Silent: ("says_what_it_is", "no docstring"),
}


@pytest.mark.parametrize("cls", FAULTS, ids=lambda cls: cls.name)
def test_a_planted_fault_is_caught(cls):
    name, said = FAULTS[cls]
    caught = next(one for one in testing.checks_of(cls) if one.__name__ == name)
    with pytest.raises(testing.Failure, match=said):
        caught(cls)
    with pytest.raises(testing.Failure):
        testing.check_all(cls)


def test_each_kind_has_a_planted_fault():
    assert {cls.of_kind for cls in FAULTS} == set(registry.KINDS) - {"diagnoses"}


def test_what_is_no_part():
    with pytest.raises(testing.Failure, match="expected a part of slr_keras.plugin"):
        testing.checks_of(dataclasses.make_dataclass("X", [], namespace={"of_kind": "x"}))


@pytest.fixture
def files(tmp_path):
    head = "import dataclasses\nfrom slr_keras.plugin import Schedule\n"
    body = "@dataclasses.dataclass(frozen=True)\nclass {0}(Schedule):\n    '''{0}.'''\n"
    body += "    name = '{1}'\n    def build(self, learning_rate, epochs, steps_per_epoch):\n"
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(head + body.format("Good", "good") + "        return learning_rate / 2\n")
    bad.write_text(head + body.format("Bad", "bad") + "        return -1.0\n")
    yield good, bad
    plugins.forget()


def test_the_command(files, capsys):
    good, bad = files
    assert check.main([str(good), str(bad), "--backends", keras.backend.backend()]) == 1
    out = capsys.readouterr().out
    assert "pass  good" in out and "FAIL  good" not in out and "imports no framework" in out
    assert "FAIL  bad" in out and "a rate is NaN, infinite or below 0" in out
    assert "1 of 12 do not hold" in out
    rows = [{"part": "good", "check": "x_y", "said": ""}, {"part": "good", "numbers": [1.0, 2.0]}]
    other = [rows[0], {"part": "good", "numbers": [1.0, 2.1]}]
    assert check._show([str(good)], {"a": rows, "b": rows}) == 0
    assert "all hold on a, b" in capsys.readouterr().out
    assert check._show([str(good)], {"a": rows, "b": other}) == 1
    assert "b is 0.05 off a" in capsys.readouterr().out
