"""What the lab answers is what the attack itself gives, and what it says of it is true."""

import dataclasses

import keras
import numpy as np
import pytest

from slr_keras.attacks._base import Attack
from slr_keras.attacks._numbers import seeded
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.cw import CW
from slr_keras.attacks.deepfool import DeepFool
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.fgsm import FGSM
from slr_keras.attacks.fmn import FMN
from slr_keras.attacks.mi_fgsm import MIFGSM
from slr_keras.attacks.pgd import PGD
from slr_keras.attacks.square import Square
from slr_keras.inference import InferenceNetwork
from slr_keras.lab import engine, trajectories
from slr_keras.protocol import commands
from slr_keras.protocol import lab_events as tell
from slr_keras.settings import registry
from tests.jobs._lab import Lab, array

EPS = 24 / 255
PGD_20 = {"name": "pgd", "eps": "24/255", "step_size": "6/255", "steps": 20}


@pytest.fixture(scope="module")
def lab(finished):
    lab = Lab()
    assert isinstance(lab.load(finished), tell.ModelLoaded)
    return lab


@pytest.fixture
def picked(lab):
    """The lab with a test image that its model gets right."""
    test = lab.model().test
    right = lab.model().engine.logits(test.x).argmax(-1) == test.y
    lab.pick(origin="index", index=int(np.flatnonzero(right)[0]))
    return lab


def plain(lab, attack, label, seed):
    return attack(lab.model().engine.net, lab.image[None], np.array([label]), seed=seed)[0]


def as_tensor(image):
    return keras.ops.convert_to_tensor(image, "float32")


def same(found, expected):
    """Bit-equal; on JAX to rounding, since XLA fuses single steps and a whole attack otherwise."""
    atol = 1e-6 if keras.backend.backend() == "jax" else 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


ATTACKS = [
    PGD(eps=EPS, step_size=6 / 255, steps=20),
    PGD(eps=EPS, step_size=6 / 255, steps=5, restarts=3),
    PGD(eps=EPS, step_size=2 / 255, steps=7, random=False),
    PGD(eps=EPS, step_size=4 / 255, steps=6, targeted=True),
    PGD(norm="l2", eps=1.5, step_size=0.3, steps=8),
    PGD(norm="l2", eps=0.4, step_size=0.1, steps=4, restarts=2),
    PGD(eps=0.0, step_size=6 / 255, steps=2),
    FGSM(eps=EPS),
    FGSM(norm="l2", eps=1.0),
]


@pytest.mark.parametrize(("seed", "attack"), enumerate(ATTACKS), ids=str)
def test_bit_equal_to_the_attack_itself(picked, seed, attack):
    label = 3 if attack.targeted else int(picked.server.bench.picture.label)
    done = picked.attack(registry.describe(attack), seed=seed, label=label)
    expected = plain(picked, attack, label, seed)
    same(array(done.adversarial), expected)
    assert done.attack == registry.describe(attack)
    assert (done.label, done.targeted, done.budget) == (label, attack.targeted, attack.eps)
    d = (expected - picked.image).astype("float64").ravel()
    size = np.abs(d).max() if attack.norm == "linf" else np.linalg.norm(d)
    assert done.distance == pytest.approx(size, abs=1e-6)
    assert done.distance <= done.budget + 1e-6


def test_every_attack_of_the_registry_is_answered(picked):
    few = {"steps": 3, "queries": 30} if keras.backend.backend() == "torch" else {}  # eager
    for cls in registry.variants("attacks").values():
        own = {field.name for field in dataclasses.fields(cls)}
        attack = cls(**{name: number for name, number in few.items() if name in own})
        done = picked.attack(registry.describe(attack))
        expected = plain(picked, attack, picked.server.bench.picture.label, 0)
        same(array(done.adversarial), expected)


def test_the_trajectory_is_that_of_the_steps(picked):
    done = picked.attack(PGD_20, seed=3)
    frames, label = array(done.frames), done.label
    assert len(done.losses) == len(done.margins) == len(frames) == 21
    attack, x = PGD(eps=EPS, step_size=6 / 255, steps=20), as_tensor(picked.image[None])
    start = keras.ops.convert_to_numpy(attack.start(x, seeded(3)))[0]
    np.testing.assert_allclose(frames[0], start, atol=1e-7)
    np.testing.assert_array_equal(frames[-1], array(done.adversarial))
    logits = keras.ops.convert_to_numpy(picked.model().engine.net(frames, training=False))
    logits = logits.astype("float64")
    losses = np.log(np.exp(logits).sum(1)) - logits[:, label]
    np.testing.assert_allclose(done.losses, losses, atol=1e-4)
    others = np.delete(logits, label, 1).max(1)
    np.testing.assert_allclose(done.margins, logits[:, label] - others, atol=1e-4)
    fooled = np.flatnonzero(logits.argmax(1) != label)
    assert done.fooled_at == (int(fooled[0]) if len(fooled) else None)
    assert done.verdict == ("fooled" if logits[-1].argmax() != label else "resists")
    np.testing.assert_allclose(sum(done.adversarial_probabilities), 1)
    odds = np.exp(logits[-1] - logits[-1].max())
    np.testing.assert_allclose(done.adversarial_probabilities, odds / odds.sum(), atol=1e-5)


def test_with_restarts_the_trajectory_is_that_of_the_result(picked):
    done = picked.attack(PGD_20 | {"steps": 3, "restarts": 4})
    frames = array(done.frames)
    assert len(frames) == 4
    np.testing.assert_array_equal(frames[-1], array(done.adversarial))
    attack = PGD(eps=EPS, step_size=6 / 255, steps=3)
    seeds, x = seeded(0), as_tensor(picked.image[None])
    starts = [keras.ops.convert_to_numpy(attack.start(x, seeds))[0] for _ in range(4)]
    assert min(np.abs(frames[0] - start).max() for start in starts) < 1e-6


def test_a_targeted_attack_reports_its_target(picked):
    label = int(picked.server.bench.picture.label)
    target = (label + 1) % 10
    done = picked.attack(PGD_20 | {"targeted": True, "eps": 0.9, "step_size": 0.1}, label=target)
    assert done.margins[-1] > done.margins[0] and done.losses[-1] < done.losses[0]
    reached = np.argmax(done.adversarial_probabilities) == target
    assert done.verdict == ("fooled" if reached else "resists")
    own = picked.attack(PGD_20 | {"targeted": True}, label=label)
    assert any("own class" in warning for warning in own.warnings)


def test_a_wrong_label_is_wrong_on_clean(picked):
    label = int(picked.server.bench.picture.label)
    assert picked.attack(PGD_20, label=(label + 1) % 10).verdict == "wrong_on_clean"


def test_frames_are_left_out_if_not_asked_for_or_too_large(picked, monkeypatch):
    assert picked.attack(PGD_20, frames=False).frames is None
    monkeypatch.setattr(trajectories, "FRAME_BYTES", 21 * 8 * 8 * 4 - 1)
    done = picked.attack(PGD_20)
    assert done.frames is None and len(done.losses) == 21
    assert array(picked.attack(PGD_20 | {"steps": 19}).frames).shape == (20, 8, 8, 1)


def test_nothing_is_compiled_again_for_other_numbers(finished, monkeypatch):
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch compiles nothing")
    traced = []
    for name in ("_steps_on", "_start_on", "_better_on"):
        real = getattr(engine.Moves, name)

        def counted(self, *arguments, real=real, name=name):
            traced.append(name)
            return real(self, *arguments)

        monkeypatch.setattr(engine.Moves, name, counted)
    real_logits = engine.Engine._logits_on
    monkeypatch.setattr(
        engine.Engine, "_logits_on", lambda *a: traced.append("logits") or real_logits(*a)
    )
    lab = Lab(warm=True)
    lab.load(finished)
    if keras.backend.backend() == "jax":  # notes the variables first, and compiles each size
        lab.pick(origin="index", index=0)
        lab.attack(PGD_20)
        assert set(traced) == {"_start_on", "_steps_on", "logits"}
    else:
        assert sorted(traced) == ["_start_on", "_steps_on", "logits"]
    before = list(traced)
    for index in range(3):
        lab.pick(origin="index", index=index)
        for k in range(3):
            settings = PGD_20 | {"eps": f"{k + index}/255", "step_size": 0.01 + k, "steps": 1 + k}
            assert isinstance(lab.attack(settings, label=k, seed=k), tell.AttackDone)
    lab.load(finished, "final")
    lab.load(finished, "current")
    lab.attack(PGD_20)
    assert traced == before
    lab.attack(PGD_20 | {"targeted": True})
    assert set(traced[len(before) :]) == {"_start_on", "_steps_on"}


WHOLE = [APGD(steps=9), FAB(steps=4), Square(queries=30)]
LOOPS = [
    MIFGSM(eps=EPS, steps=6),
    DeepFool(norm="l2", eps=2.0, steps=8),
    CW(eps=EPS, steps=7),
    CW(norm="l2", eps=2.0, steps=6, searches=3, first_weight=1.0),
    FMN(norm="l2", eps=2.0, steps=9),
]


@pytest.mark.parametrize("attack", WHOLE, ids=lambda attack: attack.name)
def test_a_slider_compiles_nothing_for_an_attack_that_runs_as_a_whole(
    finished, monkeypatch, attack
):
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch compiles nothing")
    traced, real = [], InferenceNetwork.snapshot
    monkeypatch.setattr(InferenceNetwork, "snapshot", lambda self: traced.append(1) or real(self))
    lab = Lab()
    lab.load(finished)
    test = lab.model().test
    right = np.flatnonzero(lab.model().engine.logits(test.x).argmax(-1) == test.y)
    lab.pick(origin="index", index=int(right[0]))
    label = int(lab.server.bench.picture.label)
    lab.attack(registry.describe(attack.replace(eps=1e-4)), label=label)
    compiled, length = len(traced), attack.repeats[0]
    assert compiled > 0
    lab.load(finished, "final")
    asked = [attack.replace(eps=0.1 * k, **{length: 3 + k}) for k in range(4)]
    done = [lab.attack(registry.describe(a), label=label, seed=k) for k, a in enumerate(asked)]
    assert len(traced) == compiled
    for seed, (other, answer) in enumerate(zip(asked, done, strict=True)):
        expected = plain(lab, other, label, seed)
        same(array(answer.adversarial), expected)


def test_a_long_attack_is_streamed_from_its_start(picked, monkeypatch):
    monkeypatch.setattr(trajectories, "BREATH", 0.0)
    monkeypatch.setattr(trajectories.Clock, "SHORT", 0.0)
    monkeypatch.setattr(trajectories.Clock, "INTERVAL", 0.0)
    *shown, done = picked.ask(commands.RunAttack(attack=PGD_20 | {"steps": 6, "restarts": 2}))
    assert [event.step for event in shown] == list(range(12))
    assert {event.steps for event in shown} == {12}
    single = picked.attack(PGD_20 | {"steps": 6})
    np.testing.assert_allclose([e.loss for e in shown[:6]], single.losses[:6], atol=1e-6)
    np.testing.assert_array_equal(array(shown[2].image), array(single.frames)[2])
    assert isinstance(done, tell.AttackDone)


@pytest.mark.parametrize("attack", LOOPS, ids=lambda a: f"{a.name}-{a.norm}")
def test_an_attack_that_carries_a_state_is_followed_step_by_step(picked, monkeypatch, attack):
    for name, value in (("BREATH", -1.0), ("Clock.SHORT", 0.0), ("Clock.INTERVAL", 0.0)):
        monkeypatch.setattr(f"slr_keras.lab.trajectories.{name}", value)
    *shown, done = picked.ask(commands.RunAttack(attack=registry.describe(attack), seed=2))
    label = int(picked.server.bench.picture.label)
    frames = array(done.frames)
    assert [event.step for event in shown] == list(range(attack.length))
    np.testing.assert_array_equal(array(shown[1].image), frames[1])
    same(frames[-1], plain(picked, attack, label, 2))
    assert len(frames) == len(done.losses) and len(frames) - attack.length in (1, 2)
    np.testing.assert_allclose(frames[0], picked.image, atol=EPS if attack.norm == "linf" else 1e-6)
    moved = np.abs(np.diff(frames[: attack.length], axis=0)).max(axis=(1, 2, 3))
    assert moved[0] > 0  # it does go somewhere
    logits = picked.model().engine.logits(frames).astype("float64")
    losses = np.log(np.exp(logits).sum(1)) - logits[:, label]
    np.testing.assert_allclose(done.losses, losses, atol=1e-4)


@pytest.mark.parametrize("attack", LOOPS, ids=lambda a: f"{a.name}-{a.norm}")
def test_a_slider_compiles_nothing_for_it(picked, monkeypatch, attack):
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch compiles nothing")
    traced, real = [], engine.Loops._then_on
    monkeypatch.setattr(engine.Loops, "_then_on", lambda *a: traced.append(1) or real(*a))
    picked.model().engine._loops.clear()
    picked.attack(registry.describe(attack))
    compiled = len(traced)
    assert compiled > 0
    for k in range(3):
        picked.attack(registry.describe(attack.replace(eps=0.1 + 0.1 * k, steps=3 + k)), seed=k)
    assert len(traced) == compiled


def test_at_most_twenty_pictures_a_second_and_none_of_a_short_attack(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(trajectories.time, "monotonic", lambda: now[0])
    clock = trajectories.Clock()

    def shown(step_seconds, steps):
        found = []
        for step in range(steps):
            now[0] += step_seconds
            if clock.due(step, steps):
                found.append(step)
        return found

    now[0] = clock.begun = 100.0
    assert shown(0.01, 100)[:3] == [0, 5, 10]
    clock.begun = now[0]
    assert shown(0.001, 20) == []
    clock.begun = now[0]
    assert shown(0.2, 5) == [0, 1, 2, 3, 4]


# -- doubts -----------------------------------------------------------------------------------


def net_of(logits, shape=(8, 8, 1)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, logits(inputs))


def doubts_of(net, attack, image=None):
    subject = engine.Engine(net)
    image = np.full((8, 8, 1), 0.5, "float32") if image is None else image
    steps = trajectories.follow(subject, attack, image, 0, 0, lambda point: None)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return trajectories.doubts(subject, attack, image, 0, end.value)


def test_no_doubts_about_an_attack_that_works(picked):
    assert picked.attack(PGD_20).warnings == ()


def test_a_zero_gradient_is_said():
    net = net_of(
        lambda x: keras.layers.Dense(3, kernel_initializer="zeros")(keras.layers.Flatten()(x))
    )
    for attack in (PGD(steps=5), FGSM()):
        [warning] = doubts_of(net, attack)
        assert "gradient of the loss is zero" in warning


def test_a_flat_loss_with_a_gradient_is_said():
    def saturated(x):
        x = keras.layers.Flatten()(x)
        return keras.layers.Dense(2, kernel_initializer=keras.initializers.Constant(1e-9))(x)

    net = net_of(saturated)
    net.layers[-1].set_weights([np.array([[1e-9, -1e-9]] * 64, "f4"), np.zeros(2, "f4")])
    [warning] = doubts_of(net, PGD(steps=5))
    assert "did not change in 5 steps" in warning


def test_steps_that_never_cross_the_ball_are_said(picked):
    done = picked.attack(PGD_20 | {"steps": 2, "step_size": "1/255"})
    assert any("2 steps of 1/255 go 2/255 at most" in warning for warning in done.warnings)


@dataclasses.dataclass(frozen=True)
class Whole(Attack):
    """An attack that gives no single steps."""

    name = "whole"

    def run(self, objective, x, seed):
        return self.inside(x, x + self.eps)


def test_an_attack_without_steps_runs_as_a_whole(picked, monkeypatch):
    real = registry.get
    monkeypatch.setattr(
        registry, "get", lambda kind, name: Whole if name == "whole" else real(kind, name)
    )
    done = picked.attack({"name": "whole", "eps": 0.1})
    np.testing.assert_array_equal(
        array(done.adversarial),
        Whole(eps=0.1)(picked.model().engine.net, picked.image[None], [0])[0],
    )
    assert len(done.losses) == 2
    np.testing.assert_array_equal(array(done.frames)[0], picked.image)


# -- the other model --------------------------------------------------------------------------


def test_transfer_is_what_the_other_model_says(picked, finished):
    picked.load(finished, "final", slot="b")
    done = picked.attack(PGD_20)
    other = picked.model("b").engine.net
    both = np.stack([picked.image, array(done.adversarial)])
    both = keras.ops.convert_to_numpy(other(both, training=False))
    odds = np.exp(both) / np.exp(both).sum(1, keepdims=True)
    np.testing.assert_allclose(done.transfer_clean, odds[0], atol=1e-5)
    np.testing.assert_allclose(done.transfer_adversarial, odds[1], atol=1e-5)
    back = picked.attack(PGD_20, slot="b")
    expected = PGD(eps=EPS, step_size=6 / 255, steps=20)(
        other, picked.image[None], [picked.server.bench.picture.label]
    )
    np.testing.assert_array_equal(array(back.adversarial), expected[0])


@pytest.mark.parametrize(("shape", "classes"), [((8, 8, 1), 4), ((6, 6, 3), 10)])
def test_no_transfer_to_a_model_of_other_classes_or_shape(picked, tmp_path, shape, classes):
    net = net_of(lambda x: keras.layers.Dense(classes)(keras.layers.Flatten()(x)), shape)
    net.save(tmp_path / "other.keras")
    assert isinstance(picked.load(tmp_path / "other.keras", slot="b"), tell.ModelLoaded)
    done = picked.attack(PGD_20)
    assert done.transfer_clean is None and done.transfer_adversarial is None
    assert any(w.startswith("Transfer to other.keras is left out") for w in done.warnings)


# -- many images ------------------------------------------------------------------------------


def test_each_of_many_images_comes_out_as_the_attack_alone(lab):
    attack, places = PGD(eps=EPS, step_size=6 / 255, steps=5), (3, 0, 7)
    command = commands.AttackMany(attack=registry.describe(attack), indices=places, seed=4)
    *answers, done = lab.ask(command)
    test = lab.model().test
    assert [answer.index for answer in answers] == list(places)
    assert isinstance(done, tell.ManyDone) and done.id == answers[0].id
    for answer in answers:
        label = int(test.y[answer.index])
        x_adv = attack(lab.model().engine.net, array(answer.image)[None], [label], seed=4)
        assert answer.label == label
        np.testing.assert_array_equal(array(answer.image), test.image(answer.index))
        same(array(answer.adversarial), x_adv[0])
        logits = lab.model().engine.logits(np.stack([test.image(answer.index), x_adv[0]]))
        assert [answer.clean_class, answer.adversarial_class] == list(logits.argmax(-1))
        right, fooled = logits.argmax(-1) == label
        told = "wrong_on_clean" if not right else "resists" if fooled else "fooled"
        assert answer.verdict == told


@pytest.mark.parametrize("places", [(), (0, 10**6)])
def test_many_images_that_are_not_there_are_refused_before_work(lab, places):
    answer = lab.one(commands.AttackMany(attack=PGD_20, indices=places))
    assert isinstance(answer, tell.Refused) and "xpected" in answer.message


# -- sweeps -----------------------------------------------------------------------------------


def test_a_sweep_is_the_attack_at_each_radius(picked):
    radii, attack = (0.9, 0.0, 4 / 255, 0.1), PGD_20 | {"step_size": 0.1}
    *points, done = picked.ask(commands.Sweep(attack=attack, eps=radii, seed=2))
    assert [point.eps for point in points] == sorted(radii)
    for point in points:
        single = picked.attack(attack | {"eps": point.eps}, seed=2)
        assert point.margin == single.margins[-1]
        assert point.probability == single.adversarial_probabilities[single.label]
        assert point.fooled == (single.verdict == "fooled")
    assert points[-1].fooled and not points[0].fooled
    assert done.first_fooled == next(point.eps for point in points if point.fooled)


def test_a_sweep_that_fools_less_at_a_larger_radius_is_doubted():
    from slr_keras.lab.bench import _sweep_doubts

    attacks = [PGD(eps=k / 255, step_size=2 / 255, steps=10) for k in (1, 2, 3)]
    assert _sweep_doubts(attacks, [False, True, True]) == []
    assert _sweep_doubts(attacks, [False, False, False]) == []
    [warning] = _sweep_doubts(attacks, [True, False, True])
    assert "too weak" in warning


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (commands.RunAttack(attack={"name": "pdg"}), "Did you mean 'pgd'"),
        (commands.RunAttack(attack={}), "has no name"),
        (commands.RunAttack(attack=PGD_20 | {"eps": 8}), "Did you mean 8/255"),
        (commands.RunAttack(attack=PGD_20 | {"stepsize": 1}), "step_size"),
        (commands.RunAttack(attack=PGD_20, label=10), "expected a class from 0 to 9"),
        (commands.RunAttack(attack=PGD_20, slot="c"), "no slot 'c'"),
        (commands.Sweep(attack=PGD_20, eps=()), "one radius or more"),
        (commands.Sweep(attack=PGD_20, eps=(0.1, -1)), "eps"),
    ],
)
def test_bad_requests_are_refused_with_a_sentence(picked, command, words):
    answer = picked.one(command)
    assert isinstance(answer, tell.Refused)
    assert words in answer.message and answer.message.endswith((".", "?"))
    assert isinstance(picked.attack(PGD_20), tell.AttackDone)
