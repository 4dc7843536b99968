"""What helps a run that goes wrong: warm-up, clipping, patience; and that it says what is wrong."""

import json
import shutil

import keras
import numpy as np
import pytest

from slr_keras import train
from slr_keras.attacks.pgd import PGD
from slr_keras.errors import NonFiniteLossError, SettingError, UserError
from slr_keras.methods.at import AT
from slr_keras.optimizers import SGD
from slr_keras.run_folder import RunFolder
from slr_keras.testing._base import classifier, digits
from slr_keras.training.attack_warmup import AttackWarmup
from slr_keras.training.failing import largest_gradient
from slr_keras.training.weight_average import WeightAverage

SMALL = ["--data.train_samples", "256", "--eval.val_samples", "60", "--eval.train_samples", "60"]
SHORT = [*SMALL, "--eval.test_samples", "40", "--eval.steps", "2", "--eval.test_steps", "4"]
QUIET = ["--progress", "quiet", "--no-train.tensorboard", "--model.width", "4"]
AT2 = ["--method.name", "at", "--attack.steps", "2", "--attack.step_size", "0.06"]


def run(folder, *more):
    words = [*AT2, *SHORT, *QUIET, "--run-dir", str(folder), *map(str, more)]
    assert train.main(words) == 0
    return RunFolder(folder)


def final(folder):
    return keras.models.load_model(folder["final.keras"], compile=False).get_weights()


def told(folder, name):
    lines = map(json.loads, folder["events.jsonl"].read_text().splitlines())
    return [line for line in lines if line["event"] == name]


# -- epsilon warm-up --------------------------------------------------------------------------


def test_the_radius_grows_by_step_and_stays():
    warmup = AttackWarmup(2)
    warmup.begin(3)
    radii = []
    for _ in range(8):
        attack = warmup.attack(PGD(eps=0.6, step_size=0.3, steps=4))
        radii.append((float(attack.eps), float(attack.step_size), attack.steps))
        warmup.advance()
    expected = np.minimum(1, np.arange(1, 9) / 6)
    np.testing.assert_allclose([r[0] for r in radii], 0.6 * expected, rtol=1e-6)
    np.testing.assert_allclose([r[1] for r in radii], 0.3 * expected, rtol=1e-6)
    assert {r[2] for r in radii} == {4}


def test_training_attacks_in_the_small_ball_and_evaluation_in_the_whole():
    """Images move by the radius of their step: one step of PGD goes to its edge."""
    x, y = digits(20)
    attack = PGD(eps=0.4, step_size=0.4, steps=1, random=False, warmup_epochs=1)
    model = classifier(20, method=AT(), attack=attack)
    model.steps_per_epoch = 4
    model.begin_epoch(1)
    sizes = []
    for _ in range(6):
        batch = model.attack_batch(({"image": x, "index": np.arange(20)}, y))
        sizes.append(float(abs(np.asarray(batch.trained) - x).max()))
        model.train_on_batch({"image": x, "index": np.arange(20, dtype="int32")}, y)
    np.testing.assert_allclose(sizes, [0.1, 0.2, 0.3, 0.4, 0.4, 0.4], rtol=1e-5)
    assert model.evaluation_attack.eps == 0.4


def test_a_step_count_must_be_known():
    model = classifier(20, method=AT(), attack=PGD(warmup_epochs=1))
    with pytest.raises(UserError, match="the number of steps an epoch is not known"):
        model.begin_epoch(1)


def test_fit_counts_its_steps_and_the_model_is_saved(tmp_path):
    x, y = digits(40)
    attack = PGD(eps=0.1, step_size=0.05, steps=1, warmup_epochs=3)
    model = classifier(40, method=AT(), attack=attack)
    model.compile(SGD(0.1))
    traced, attack_batch = [], model.attack_batch
    model.attack_batch = lambda data: traced.append(1) or attack_batch(data)
    model.fit(x, y, batch_size=10, epochs=2, verbose=0)
    assert len(traced) <= 2, "another radius is no reason to compile again"
    assert (float(model.warmup.length), float(model.warmup.done)) == (12, 8)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert float(again.warmup.done) == 8 and again.attack == attack


@pytest.fixture(scope="module")
def warmed(tmp_path_factory):
    more = ["--attack.warmup_epochs", "2", "--train.epochs", "3", "--ema.decay", "0.99"]
    more += ["--optimizer.clip_norm", "1", "--train.keep_checkpoints", 9]
    return run(tmp_path_factory.mktemp("warmed") / "run", *more)


def test_a_run_that_goes_on_in_the_middle_of_it_is_bit_equal(warmed, tmp_path):
    cut = RunFolder(shutil.copytree(warmed.path, tmp_path / "cut"))
    for name in ("summary.json", "final.keras", "best.keras"):
        cut[name].unlink()
    for path in cut["checkpoints"].glob("*"):
        if not path.name.startswith("000002-00000000"):  # the second epoch begins
            path.unlink()
    assert train.main(["--resume", str(cut.path), "--progress", "quiet"]) == 0
    for mine, whole in zip(final(cut), final(warmed), strict=True):
        np.testing.assert_array_equal(mine, whole)


def test_bad_lengths_are_refused(tmp_path):
    for words, said in (
        (["--attack.warmup_epochs", "4", "--train.epochs", "3"], "at most the run's 3 epochs"),
        (["--attack.warmup_epochs", "-1"], "expected a whole number >= 0"),
        (["--optimizer.clip_norm", "-1"], "expected a number >= 0"),
        (["--train.patience", "-1"], "expected a whole number >= 0"),
    ):
        with pytest.raises(SettingError, match=said):
            train.main([*words, "--run-dir", str(tmp_path / "x")])
    with pytest.raises(UserError, match="train.patience: there are no validation images"):
        run(tmp_path / "y", "--train.patience", "2", "--data.val_fraction", "0")
    assert not (tmp_path / "x").exists() and not (tmp_path / "y").exists()


# -- clipping, averages, patience -------------------------------------------------------------


def test_clipping_is_of_the_whole_gradient():
    """Against the norm by hand: SGD without momentum moves by rate * clipped gradient."""
    from slr_keras.optimizers.sgd import SGDSettings

    weights = [keras.Variable(np.ones((2, 3), "float32")), keras.Variable(np.ones(4, "float32"))]
    gradients = [np.full((2, 3), 3.0, "float32"), np.full(4, -4.0, "float32")]
    norm = np.sqrt(6 * 9 + 4 * 16)
    optimizer = SGDSettings(momentum=0.0, l2=0.0, clip_norm=2.0).build(0.5)
    optimizer.build(weights)
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], weights)
    for weight, g in zip(weights, gradients, strict=True):
        np.testing.assert_allclose(np.asarray(weight), 1 - 0.5 * g * 2 / norm, rtol=1e-6)
    assert isinstance(optimizer, SGD) and SGDSettings().build(0.1).global_clipnorm is None


def test_the_average_warms_up_by_hand():
    image = keras.Input((3,))
    net = keras.Model(image, keras.layers.Dense(2)(image))
    average = WeightAverage(net, 0.9, warmup=True)
    average.active.assign(1)
    expected = None
    for t in range(40):
        now = np.float64(net.get_weights()[0]) + t
        net.set_weights([now, net.get_weights()[1]])
        average.update(net)
        keep = min(0.9, (1 + t) / (10 + t)) if t else 0.0
        expected = now if expected is None else keep * expected + (1 - keep) * now
        np.testing.assert_allclose(np.asarray(average.averages[0]), expected, rtol=1e-5)


def test_patience_ends_a_run_and_goes_on_to_its_test(tmp_path, capsys):
    folder = run(tmp_path / "run", "--train.epochs", "40", "--train.patience", "2")
    summary = json.loads(folder["summary.json"].read_text())
    epochs = folder.epochs()
    assert len(epochs) < 40 and summary["final"]["epoch"] == epochs[-1].epoch
    assert epochs[-1].epoch == summary["best_epoch"] + 2
    assert "train.patience 2" in told(folder, "warning")[-1]["message"]
    folder["summary.json"].unlink()
    assert train.main(["--resume", str(folder.path), "--progress", "quiet"]) == 0
    again = json.loads(folder["summary.json"].read_text())
    assert again["final"] == summary["final"] and len(folder.epochs()) == len(epochs)


def test_an_old_run_keeps_its_average(warmed):
    """Averages of runs from before did not warm up: they go on as they began."""
    text = warmed["config.toml"].read_text()
    assert warmed.config().ema.warmup
    try:
        lines = [line for line in text.splitlines() if line != "warmup = true"]
        assert len(lines) == len(text.splitlines()) - 1
        warmed["config.toml"].write_text("\n".join(lines))
        assert not warmed.config().ema.warmup
    finally:
        warmed["config.toml"].write_text(text)


# -- what is said -----------------------------------------------------------------------------


def test_a_run_that_learns_nothing_says_so_and_its_best_is_no_epoch_at_chance(tmp_path, capsys):
    folder = tmp_path / "run"
    words = [*SHORT, "--progress", "plain", "--no-train.tensorboard", "--run-dir", str(folder)]
    words += ["--method.name", "at", "--train.epochs", "3", "--ema.decay", "0.99999"]
    assert train.main([*words, "--no-ema.warmup", "--model.width", "4"]) == 0
    out = capsys.readouterr().out
    assert out.strip().splitlines()[-1].startswith("nothing was learned: clean accuracy was at ch")
    found = {line["diagnosis"]: line for line in told(RunFolder(folder), "diagnosis")}
    assert set(found) == {"average_at_start"} | ({"collapse"} & set(found))
    assert found["average_at_start"]["epoch"] == 0
    assert not json.loads((folder / "summary.json").read_text())["learned"]
    (folder / "summary.json").unlink()
    assert train.main(["--resume", str(folder), "--progress", "quiet"]) == 0  # told once
    assert len(told(RunFolder(folder), "diagnosis")) == len(found)
    assert RunFolder(folder).diagnoses()[0].title == "average at its start"


def test_a_loss_that_is_not_finite_names_what_is_known(tmp_path):
    with pytest.raises(NonFiniteLossError) as caught:
        run(tmp_path / "run", "--optimizer.learning_rate", "1e30", "--train.epochs", "2")
    said = str(caught.value)
    assert "epoch 1" in said and "learning rate 1e+30" in said and "--optimizer.clip_norm" in said
    assert "No checkpoint was written yet; at the initial weights the largest gradient is" in said


def test_the_largest_gradient_by_hand():
    """A linear model's gradient is the mean of (softmax(z) - y) x^T."""
    x, y = digits(12)
    image = keras.Input((8, 8, 1))
    net = keras.Model(image, keras.layers.Dense(10, name="head")(keras.layers.Flatten()(image)))
    kernel, bias = net.get_weights()
    flat = x.reshape(12, -1).astype("float64")
    z = flat @ kernel + bias
    p = np.exp(z - z.max(1, keepdims=True))
    error = p / p.sum(1, keepdims=True) - np.eye(10)[y]
    expected = np.linalg.norm(flat.T @ error / 12)
    name, norm = largest_gradient(net, x, y)
    assert name == "head/kernel" and norm == pytest.approx(expected, rel=1e-4)


def test_masked_gradients_are_looked_for(tmp_path, monkeypatch):
    """A network whose logits are rounded resists PGD, which sees no gradient, and not Square."""
    from slr_keras.training import diagnosing

    monkeypatch.setattr(diagnosing, "FIRST", 0.0)
    monkeypatch.setattr(diagnosing, "SHARE", 1e9)
    more = ["--train.epochs", "2", "--eval.masking_every", "2", "--eval.masking_samples", "20"]
    seen = []
    look = diagnosing.Diagnosing._look_behind_masks

    def noted(self, epoch, seconds):
        look(self, epoch, seconds)
        seen.append(self.resisted)

    monkeypatch.setattr(diagnosing.Diagnosing, "_look_behind_masks", noted)
    run(tmp_path / "run", *more)
    (found,) = seen
    assert found.epoch == 2 and found.samples == 20
    assert found.attacks == "APGD-T and Square" and 0 <= found.others <= found.pgd <= 20
