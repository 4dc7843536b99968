"""Models come into the lab from wherever they are, or the lab says why not."""

import json
import shutil

import keras
import numpy as np
import pytest

from slr_keras import saving
from slr_keras.lab import engine, models
from slr_keras.protocol import lab_events as tell
from tests.jobs._lab import Lab, array

PGD_5 = {"name": "pgd", "eps": "24/255", "step_size": "6/255", "steps": 5}


@pytest.fixture
def lab():
    return Lab()


def newest(run):
    return sorted((run / "checkpoints").glob("*.npz"))[-1]


def rewrite(npz, change):
    """Replace the arrays of a checkpoint by ``change(name, array)``."""
    with np.load(npz) as arrays:
        kept = {name: change(name, arrays[name]) for name in arrays.files}
    npz.unlink()
    np.savez(npz, **kept)


def test_what_is_said_of_a_run(lab, finished):
    loaded = lab.load(finished)
    summary = json.loads((finished / "summary.json").read_text())
    net = saving.load_model(finished / "best.keras")
    assert loaded.epoch == summary["best_epoch"]
    assert loaded.title == f"finished, best epoch ({loaded.epoch})"
    assert loaded.input_shape == (8, 8, 1) and loaded.test_images == 360
    assert loaded.class_names == tuple("0123456789")
    assert loaded.parameters == net.count_params()
    assert loaded.attack["name"] == "pgd" and loaded.attack["steps"] == 4
    assert (loaded.slot, loaded.which, loaded.notice) == ("a", "best", "")
    assert loaded.digest == engine.digest_of(net.get_weights())
    for ours, theirs in zip(lab.model().engine.net.get_weights(), net.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_states_are_told(finished):
    lab = Lab(warm=True)
    lab.load(finished)
    states = [e.state for e in lab.said if isinstance(e, tell.LabState)]
    assert states == ["ready", "loading", "compiling", "ready"]
    assert all(e.device for e in lab.said if isinstance(e, tell.LabState))


def test_the_newest_checkpoint_of_a_complete_run_is_its_final_model(lab, finished):
    final, current = lab.load(finished, "final"), lab.load(finished, "current")
    assert current.digest == final.digest
    assert (current.which, current.epoch) == ("current", 3)
    assert current.title == "finished, newest weights (epoch 3)"


def test_the_current_weights_of_a_run_in_mid_epoch(lab, interrupted):
    loaded = lab.load(interrupted, "current")
    assert loaded.title == "interrupted, newest weights (epoch 3, batch 1)"
    assert loaded.epoch == 3
    lab.pick(origin="index", index=4)
    assert isinstance(lab.attack(PGD_5), tell.AttackDone)


def test_newer_weights_of_a_run_are_assigned_and_attacked(lab, finished, copy_of, monkeypatch):
    run = copy_of(finished)
    lab.load(run, "current")
    lab.pick(origin="index", index=0)
    before = lab.attack(PGD_5)
    first = lab.model()
    rewrite(newest(run), lambda n, a: a * 1.5 if n.startswith("model/") and a.ndim > 1 else a)
    monkeypatch.setattr(engine, "Moves", None)  # nothing is compiled again
    newer = lab.load(run, "current")
    assert newer.digest != first.digest and lab.model().engine is first.engine
    after = lab.attack(PGD_5)
    assert after.clean_probabilities != before.clean_probabilities
    net = first.engine.net
    logits = keras.ops.convert_to_numpy(net(lab.image[None], training=False))[0]
    odds = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(after.clean_probabilities, odds, atol=1e-5)


def test_the_same_weights_answer_at_once(lab, finished, copy_of, monkeypatch):
    run = copy_of(finished)
    loaded = lab.load(run, "current")
    monkeypatch.setattr(models.np, "load", None)  # nothing is read again
    again = lab.load(run, "current")
    assert (again.digest, again.title, again.epoch) == (loaded.digest, loaded.title, loaded.epoch)
    states = [e.state for e in lab.said if isinstance(e, tell.LabState)]
    assert "compiling" not in states


def test_a_file_written_again_with_the_same_weights_keeps_what_is_known(lab, finished, copy_of):
    run = copy_of(finished)
    lab.load(run)
    lab.ask()
    found = lab.model().mistakes
    (run / "best.keras").touch()
    lab.load(run)
    assert lab.model().mistakes is found


def test_two_slots_hold_two_states_of_one_architecture(lab, finished):
    a, b = lab.load(finished, "final"), lab.load(finished, "best", slot="b")
    if a.digest == b.digest:  # the last epoch was the best
        pytest.skip("best and final are the same epoch here")
    assert lab.model("a").engine is not lab.model("b").engine
    np.testing.assert_array_equal(
        lab.model("a").engine.net.get_weights()[0],
        saving.load_model(finished / "final.keras").get_weights()[0],
    )


def test_a_file_in_a_run_folder_brings_the_run_s_data(lab, finished):
    loaded = lab.load(finished / "final.keras")
    assert loaded.test_images == 360 and loaded.title == "finished, final epoch (3)"


def test_a_file_alone_has_numbers_for_classes_and_no_test_images(lab, finished, tmp_path):
    shutil.copy(finished / "final.keras", tmp_path / "mine.keras")
    loaded = lab.load(tmp_path / "mine.keras")
    assert loaded.title == "mine.keras" and loaded.epoch == 0 and loaded.attack is None
    assert loaded.class_names == tuple("0123456789") and loaded.test_images == 0
    assert "says nothing of its data" in loaded.notice
    refused = lab.pick(origin="random")
    assert isinstance(refused, tell.Refused) and "Open an image file" in refused.message


def test_a_robust_classifier_file_gives_its_network(lab, tmp_path):
    import slr_keras as slr

    net = slr.models.small_cnn(input_shape=(8, 8, 1), num_classes=3, width=2)
    slr.RobustClassifier(net, method=slr.methods.AT()).save(tmp_path / "whole.keras")
    loaded = lab.load(tmp_path / "whole.keras")
    assert loaded.digest == engine.digest_of(net.get_weights())
    assert len(loaded.class_names) == 3


def test_a_subclassed_network_is_taken_as_it_is(lab, finished, tmp_path):
    net = saving.load_model(finished / "best.keras")
    assert engine.architecture_of(net) == engine.architecture_of(saving.plain_network(net))

    @keras.saving.register_keras_serializable("tests")
    class Own(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.out = keras.layers.Dense(3)

        def call(self, x, training=None):
            return self.out(keras.ops.mean(x, (1, 2)))

        def get_config(self):
            raise NotImplementedError

    one, two = Own(), Own()
    assert engine.architecture_of(one) != engine.architecture_of(two)


# -- what cannot be loaded --------------------------------------------------------------------


def refused(lab, source, which="best"):
    answer = lab.load(source, which)
    assert isinstance(answer, tell.Refused), answer
    assert answer.message.endswith((".", "?")), answer.message
    return answer.message


def test_nothing_there(lab, tmp_path):
    assert "no such run folder or model file" in refused(lab, tmp_path / "gone").lower()
    assert "no config.toml" in refused(lab, tmp_path)
    (tmp_path / "model.h5").write_bytes(b"")
    assert "received" in refused(lab, tmp_path / "model.h5")
    assert "Expected one of best, final, current" in refused(lab, tmp_path, "newest")
    assert "no slot 'c'" in lab.load(tmp_path, slot="c").message


def test_no_model_yet(lab, finished, interrupted, copy_of):
    run = copy_of(interrupted)
    assert "Choose best or current" in refused(lab, run, "final")
    shutil.rmtree(run / "checkpoints")
    assert "after the first epoch" in refused(lab, run, "current")


def test_files_that_are_no_models(lab, tmp_path):
    (tmp_path / "text.keras").write_text("not a model")
    assert "cannot be read as a Keras model" in refused(lab, tmp_path / "text.keras")
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(inputs))
    keras.Model(inputs, x).save(tmp_path / "odds.keras")
    assert "Remove the softmax" in refused(lab, tmp_path / "odds.keras")


def test_a_refused_model_leaves_the_old_one(lab, finished, tmp_path):
    loaded = lab.load(finished)
    refused(lab, tmp_path)
    assert lab.model().digest == loaded.digest
    lab.pick(origin="index")
    assert isinstance(lab.attack(PGD_5), tell.AttackDone)


def test_a_damaged_checkpoint(lab, finished, copy_of):
    run = copy_of(finished)
    data = newest(run).read_bytes()
    newest(run).write_bytes(data[: len(data) // 2])
    assert "cannot be read" in refused(lab, run, "current")
    newest(run).write_bytes(data[:5000] + b"\0" * 100 + data[5100:])
    assert "cannot be read" in refused(lab, run, "current")
    newest(run).unlink()
    assert "Try again" in refused(lab, run, "current")


def test_weights_that_are_not_finite(lab, finished, copy_of):
    run = copy_of(finished)
    rewrite(newest(run), lambda n, a: a * np.float32("nan") if a.ndim == 4 else a)
    assert "hold NaN" in refused(lab, run, "current")


def test_logits_that_are_not_finite(lab, tmp_path, finished):
    inputs = keras.Input((8, 8, 1))
    net = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(inputs)))
    net.set_weights([np.full((64, 10), 3e38, "f4"), np.zeros(10, "f4")])
    net.save(tmp_path / "large.keras")
    lab.load(finished)
    lab.pick(origin="index", index=0)
    lab.load(tmp_path / "large.keras")
    for attack in (PGD_5, {"name": "fgsm"}):
        answer = lab.attack(attack)
        assert isinstance(answer, tell.Refused) and "NaN or infinite logits" in answer.message


def test_a_config_edited_by_hand(lab, finished, copy_of):
    run = copy_of(finished)
    toml = (run / "config.toml").read_text()
    (run / "config.toml").write_text(toml.replace("width = 4", "width = 5"))
    assert "does not fit the model in config.toml" in refused(lab, run, "current")
    (run / "config.toml").write_text(toml.replace("width = 4", "width = -4"))
    assert "width" in refused(lab, run, "best")
    (run / "config.toml").write_text("no toml at all")
    assert "is no TOML" in refused(lab, run, "best")


def test_data_that_went_away_or_do_not_fit(lab, finished, copy_of):
    run = copy_of(finished)
    toml = (run / "config.toml").read_text()
    (run / "config.toml").write_text(toml.replace('name = "digits"', 'name = "/gone/data.npz"'))
    loaded = lab.load(run)
    assert loaded.test_images == 0 and "/gone/data.npz" in loaded.notice
    assert "cannot be built without the run's data" in refused(lab, run, "current")
    np.savez(
        run / "other.npz",
        x_train=np.zeros((40, 5, 5, 3), "uint8"),
        y_train=np.arange(40) % 4,
    )
    (run / "config.toml").write_text(
        toml.replace('name = "digits"', f'name = "{run / "other.npz"}"')
    )
    assert "do not fit this model" in lab.load(run).notice


def test_a_run_that_prunes_while_it_is_read(lab, finished, copy_of, monkeypatch):
    run = copy_of(finished)
    real, gone = models.find, []

    def find(source, which):
        found = real(source, which)
        if not gone:
            gone.append(found.path.rename(found.path.with_suffix(".old")))
        return found

    monkeypatch.setattr(models, "find", find)
    assert isinstance(lab.load(run, "current"), tell.ModelLoaded)


def test_only_the_newest_engines_are_kept(lab, tmp_path):
    for width in range(models.KEPT + 2):
        inputs = keras.Input((4, 4, 1))
        x = keras.layers.Dense(width + 2)(keras.layers.Flatten()(inputs))
        keras.Model(inputs, x).save(tmp_path / f"{width}.keras")
        lab.load(tmp_path / f"{width}.keras")
    shelf = lab.server.bench.shelves["a"]
    assert len(shelf._engines) == models.KEPT
    assert shelf.model.engine in shelf._engines.values()


def test_array_survives_the_wire():
    values = np.arange(6, dtype="f4").reshape(1, 2, 3)
    np.testing.assert_array_equal(array(tell.pack(values)), values)
