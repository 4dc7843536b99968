"""Order of requests: the newest wins, nothing blocks, nothing ends the lab."""

import json
import os
import sys
import threading
import time

import numpy as np
import pytest

from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.pgd import PGD
from slr_keras.lab import bench, server, trajectories
from slr_keras.protocol import commands, events, wire
from slr_keras.protocol import lab_events as tell
from slr_keras.protocol.events import Acknowledged
from tests.jobs._lab import Lab, array
from tests.processes import PIPES, begin

PGD_9 = {"name": "pgd", "eps": "24/255", "step_size": "6/255", "steps": 9}
RADII = tuple(k / 255 for k in range(0, 50, 10))


@pytest.fixture(scope="module")
def shared(finished):
    lab = Lab()
    lab.load(finished)
    lab.load(finished, "final", slot="b")
    return lab


@pytest.fixture
def lab(shared, monkeypatch):
    """A lab with two models and an image, which tells of every step."""
    monkeypatch.setattr(trajectories, "BREATH", 0.0)
    monkeypatch.setattr(trajectories.Clock, "SHORT", 0.0)
    monkeypatch.setattr(trajectories.Clock, "INTERVAL", 0.0)
    shared.pick(origin="index", index=1)
    return shared


def kinds(said):
    return [(type(event).__name__, event.id) for event in said if not _progress(event)]


def _progress(event):
    return isinstance(event, tell.AttackProgress)


def on(step, *actions):
    """Do things when an attack tells of this step for the first time."""
    left = list(actions)

    def listen(event):
        if _progress(event) and event.step == step:
            while left:
                left.pop(0)()

    return listen


def run(slot="a", **changes):
    return commands.RunAttack(slot=slot, attack=PGD_9 | changes)


def test_of_several_waiting_attacks_the_newest_is_computed(lab):
    wanted = [run(eps=f"{k}/255") for k in range(5)]
    said = lab.ask(*wanted)
    numbers = [event.id for event in said if isinstance(event, tell.Superseded)]
    done = [event for event in said if isinstance(event, tell.AttackDone)]
    assert len(numbers) == 4 and len(done) == 1
    assert done[0].budget == 4 / 255 and done[0].id == max(numbers) + 1
    assert sum(_progress(event) for event in said) == 9


def test_a_newer_attack_ends_the_one_under_way(lab):
    said = lab.ask(run(), on_event=on(3, lambda: lab.put(run(eps="1/255"))))
    steps = [event.step for event in said if _progress(event)]
    assert steps == [0, 1, 2, 3, *range(9)]
    (dropped, first), (done, second) = kinds(said)
    assert (dropped, done) == ("Superseded", "AttackDone") and second == first + 1


def test_a_newer_attack_ends_a_staged_one_at_its_next_stop(lab):
    own = int(lab.model().engine.logits(lab.image[None])[0].argmax())
    apgd = {"name": "apgd", "eps": "0.1/255", "steps": 10}
    apgd = commands.RunAttack(attack=apgd, label=own)
    whole = [event.step for event in lab.ask(apgd) if _progress(event)]
    assert whole == [0, *APGD(steps=10).stops()[:-1]] and len(whole) > 4
    said = lab.ask(apgd, on_event=on(whole[2], lambda: lab.put(run())))
    steps = [event.step for event in said if _progress(event)]
    assert steps == [*whole[:3], *range(9)]
    (dropped, first), (done, second) = kinds(said)
    assert (dropped, done) == ("Superseded", "AttackDone") and second == first + 1


def test_the_result_after_a_drag_is_a_fresh_attack_at_the_last_value(lab):
    radii = iter(range(1, 50))

    def drag(event):
        if _progress(event) and (k := next(radii, None)):
            lab.put(run(eps=f"{k}/255"))

    done = lab.ask(run(), on_event=drag)[-1]
    attack = PGD(eps=49 / 255, step_size=6 / 255, steps=9)
    label = lab.server.bench.picture.label
    expected = attack(lab.model().engine.net, lab.image[None], np.array([label]))
    np.testing.assert_array_equal(array(done.adversarial), expected[0])


def test_the_other_slot_goes_on(lab):
    said = lab.ask(run(), run("b"), on_event=on(2, lambda: lab.put(run("b", eps="2/255"))))
    done = {e.slot: e for e in said if isinstance(e, tell.AttackDone)}
    assert set(done) == {"a", "b"} and done["b"].budget == 2 / 255
    assert sum(isinstance(e, tell.Superseded) for e in said) == 1


def test_cancel_ends_the_request_it_names(lab):
    number = []
    said = lab.ask(
        run(),
        on_event=on(4, lambda: lab.put(commands.Cancel(target=number[0])))
        if not number.append(_next(lab))
        else None,
    )
    assert kinds(said) == [("Superseded", number[0])]
    assert isinstance(lab.attack(PGD_9), tell.AttackDone)


def _next(lab):
    """The number that the next command gets."""
    number = next(lab.ids)
    lab.ids = iter(range(number, 10**9))
    return number


def test_cancel_of_what_is_done_is_nothing(lab):
    assert lab.ask(commands.Cancel(target=1)) == []


def test_an_attack_goes_before_a_sweep_and_the_sweep_goes_on(lab):
    put = []

    def after_first_point(event):
        if isinstance(event, tell.SweepPoint) and not put:
            put.append(lab.put(run()))

    said = lab.ask(commands.Sweep(attack=PGD_9, eps=RADII), on_event=after_first_point)
    names = [name for name, _ in kinds(said)]
    assert names == ["SweepPoint", "AttackDone", *["SweepPoint"] * 4, "SweepDone"]
    points = [event for event in said if isinstance(event, tell.SweepPoint)]
    alone = lab.ask(commands.Sweep(attack=PGD_9, eps=RADII))[:-1]
    assert [p.margin for p in points] == [p.margin for p in alone]


def test_picking_an_image_lets_many_go_on_and_a_newer_request_replaces_them(lab):
    many = commands.AttackMany(attack=PGD_9, indices=(0, 1, 2))

    def pick_then_again(event):
        if isinstance(event, tell.ManyImage) and event.index == 0 and not taken:
            taken.append(lab.put(commands.PickImage(origin="index", index=5)))
        if isinstance(event, tell.ManyImage) and event.index == 1 and len(taken) == 1:
            taken.append(lab.put(many))

    taken = []
    said = lab.ask(many, on_event=pick_then_again)
    names = [event.name for event in said if not isinstance(event, tell.AttackProgress)]
    begun = ["many_image", "image_picked", "many_image", "superseded"]
    assert names == [*begun, *3 * ["many_image"], "many_done"]


def test_a_newer_sweep_replaces_an_older_one(lab):
    put = []

    def after_second_point(event):
        if isinstance(event, tell.SweepPoint) and event.eps == RADII[1] and not put:
            put.append(lab.put(commands.Sweep(attack=PGD_9, eps=(0.5,))))

    said = kinds(lab.ask(commands.Sweep(attack=PGD_9, eps=RADII), on_event=after_second_point))
    assert [name for name, _ in said] == [
        "SweepPoint", "SweepPoint", "Superseded", "SweepPoint", "SweepDone",
    ]  # fmt: skip
    assert said[2][1] == said[0][1] and said[-1][1] == put[0]


def test_a_new_image_ends_attacks_on_the_old_one(lab):
    said = lab.ask(
        run(), on_event=on(3, lambda: lab.put(commands.PickImage(origin="index", index=2)))
    )
    assert [name for name, _ in kinds(said)] == ["ImagePicked", "Superseded"]


def test_an_image_that_cannot_be_had_ends_nothing(lab):
    said = lab.ask(
        run(), on_event=on(3, lambda: lab.put(commands.PickImage(origin="file", path="gone")))
    )
    assert [name for name, _ in kinds(said)] == ["Refused", "AttackDone"]


def test_other_weights_end_attacks_on_the_old_ones(lab, finished, copy_of):
    copy = copy_of(finished)
    net = lab.model("a").engine.net
    net_copy = __import__("keras").models.clone_model(net)
    net_copy.save(copy / "best.keras")
    load = commands.Load(slot="a", source=str(copy), which="best")
    said = lab.ask(run(), run("b"), on_event=on(3, lambda: lab.put(load)))
    assert [name for name, _ in kinds(said)] == ["ModelLoaded", "Superseded", "AttackDone"]
    lab.load(finished)


def test_the_same_weights_end_nothing(lab, finished):
    load = commands.Load(slot="a", source=str(finished), which="best")
    said = lab.ask(run(), on_event=on(3, lambda: lab.put(load)))
    assert [name for name, _ in kinds(said)] == ["ModelLoaded", "AttackDone"]


def test_of_several_waiting_models_of_a_slot_the_last_is_loaded(lab, finished):
    loads = [commands.Load(slot="a", source=str(finished), which=w) for w in ("final", "best")]
    said = lab.ask(*loads)
    assert [name for name, _ in kinds(said)] == ["Superseded", "ModelLoaded"]


def test_every_command_is_acknowledged(lab):
    lab.ask(run(), commands.Cancel(target=0), commands.PickImage(origin="nowhere"))
    acknowledged = [event.command for event in lab.said if isinstance(event, Acknowledged)]
    assert acknowledged == ["run_attack", "cancel", "pick_image"]


def test_what_a_lab_cannot_do_is_refused(lab):
    [answer] = lab.ask(commands.Pause())
    assert answer.message == "The lab cannot do 'pause'."


@pytest.mark.parametrize("command", [run(), commands.PickImage(), commands.Load(source="x")])
def test_an_error_of_its_own_is_said_and_the_lab_goes_on(lab, command, monkeypatch, capsys):
    def broken(*_, **__):
        raise RuntimeError("something odd\nwith details")

    with monkeypatch.context() as patch:
        patch.setattr(bench, "follow", broken)
        patch.setattr(bench.images, "pick", broken)
        patch.setattr(bench.Shelf, "load", broken)
        [answer] = lab.ask(command)
    assert isinstance(answer, tell.Refused)
    assert "RuntimeError: something odd)" in answer.message
    assert "Traceback" in capsys.readouterr().err
    assert isinstance(lab.attack(PGD_9), tell.AttackDone)


def test_fields_of_a_wrong_type_are_refused(lab):
    for command in (
        commands.RunAttack(attack=[1]),
        commands.RunAttack(attack=PGD_9, seed="x"),
        commands.RunAttack(attack=PGD_9, label="three"),
        commands.RunAttack(slot=3, attack=PGD_9),
        commands.Sweep(attack=PGD_9, eps=0.3),
        commands.Sweep(attack=PGD_9, eps=("wide",)),
        commands.PickImage(origin="index", index="1"),
        commands.PickImage(origin="file", path=3),
        commands.Load(source=3),
        commands.Load(slot=None),
        commands.RunAttack(slot=["a"], attack=PGD_9),
    ):
        [answer] = lab.ask(command)
        assert isinstance(answer, tell.Refused), command


def test_nothing_to_attack_yet(finished):
    lab = Lab()
    assert "no model in slot A" in lab.attack(PGD_9).message
    lab.load(finished)
    assert "no image yet" in lab.attack(PGD_9).message


def test_an_image_that_does_not_fit_the_model(lab, tmp_path, finished):
    import keras

    inputs = keras.Input((4, 4, 3))
    keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs))).save(
        tmp_path / "small.keras"
    )
    lab.load(tmp_path / "small.keras", slot="b")
    refused = lab.attack(PGD_9, slot="b")
    assert "The image is 8 × 8 × 1 and small.keras takes 4 × 4 × 3" in refused.message
    lab.load(finished, "final", slot="b")


def test_the_end_of_stdin_ends_it(lab):
    lab.commands.put(None)
    fresh = server.Server(lab, lab.server.bench)
    fresh.run()
    assert not fresh.open


def test_sentences():
    assert server.sentence(ValueError("expected one thing")) == "Expected one thing."
    assert server.sentence(ValueError("eps: expected less")) == "eps: expected less."
    assert server.sentence(ValueError("/a/b cannot be read.")) == "/a/b cannot be read."
    assert server.sentence(ValueError("")) == "."


# -- as a process -----------------------------------------------------------------------------


class Process:
    """The real worker, with its lines as messages."""

    def __init__(self):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "slr_keras.lab"]
        self.child = begin(command, env=environment, **PIPES)
        self.said, self.errors = [], []
        threading.Thread(target=self._errors, daemon=True).start()

    def _errors(self):
        self.errors += [line.decode() for line in self.child.stderr]

    def put(self, command):
        self.child.stdin.write((wire.encode(command) + "\n").encode())
        self.child.stdin.flush()

    def until(self, kind, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            line = self.child.stdout.readline()
            assert line, "".join(self.errors)
            assert json.loads(line)["v"] == wire.VERSION
            event = wire.decode(line, "event", wire.kinds(events.Event))
            self.said.append(event)
            if isinstance(event, kind):
                return event
        raise AssertionError(f"no {kind.__name__} in {seconds} s")


def test_help_answers_without_a_framework(capsys):
    from slr_keras.lab import __main__

    with pytest.raises(SystemExit):
        __main__.main(["--help"])
    assert "JSON lines" in capsys.readouterr().out


def test_the_real_worker(finished):
    lab = Process()
    try:
        hello = lab.until(events.Hello)
        assert (hello.program, hello.pid) == ("lab", lab.child.pid)
        assert lab.until(tell.LabState).state == "importing"
        lab.put(commands.Load(id=1, source=str(finished)))  # asked for before it is ready
        lab.put(commands.PickImage(id=2, origin="index", index=5))
        assert lab.until(tell.LabState).state == "ready"
        assert lab.until(tell.ModelLoaded).id == 1
        assert lab.until(tell.ImagePicked).id == 2
        lab.child.stdin.write(b"no json\n\xff\xfe\n")
        for number in range(3, 23):
            lab.put(commands.RunAttack(id=number, attack=PGD_9 | {"eps": f"{number}/255"}))
        while lab.until(tell.AttackDone).id != 22:
            pass
        answered = [e.id for e in lab.said if isinstance(e, (tell.AttackDone, tell.Superseded))]
        assert sorted(answered) == list(range(3, 23))
        acknowledged = [e.id for e in lab.said if isinstance(e, Acknowledged)]
        assert acknowledged == list(range(1, 23))
        assert any(isinstance(e, events.Heartbeat) for e in lab.said)
        lab.put(commands.Sweep(id=30, attack=PGD_9, eps=tuple(k / 1000 for k in range(900))))
        lab.until(tell.SweepPoint)
        lab.child.stdin.close()  # in the midst of it
        assert lab.child.wait(10) == 0
        assert "Traceback" not in "".join(lab.errors)
    finally:
        lab.child.kill()
        lab.child.wait()
