"""Networks from files and runs: what is taken for one, new heads, settings."""

import keras
import numpy as np
import pytest
from keras import layers

import slr_keras as slr
from slr_keras import config
from slr_keras.errors import ModelError, SettingError
from slr_keras.models import _heads
from slr_keras.models.applications import Application
from slr_keras.models.keras_file import KerasFile
from slr_keras.settings import registry

SHAPE = (8, 8, 3)


def images():
    return np.random.default_rng(0).random((4, *SHAPE), dtype="float32")


def features():
    return [keras.Input(SHAPE), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()]


def dense(activation=None):
    return keras.Sequential([*features(), layers.Flatten(), layers.Dense(7, activation)])


def softmax_behind():
    return keras.Sequential([*features(), layers.Flatten(), layers.Dense(7), layers.Softmax()])


def functional():
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3)(inputs)
    x = layers.Add()([x, layers.ReLU()(x)])
    x = layers.Dense(7, activation="relu")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(7, activation="sigmoid")(x))


def pointwise():
    """Of any size, as SqueezeNet ends; a 1x1 convolution makes the logits."""
    ending = [layers.Conv2D(7, 1), layers.GlobalAveragePooling2D(), layers.Activation("softmax")]
    return keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3), *ending])


def reshaped():
    """As MobileNet ends."""
    ending = [layers.Conv2D(7, 1), layers.Reshape((7,)), layers.Activation("softmax")]
    pooled = layers.GlobalAveragePooling2D(keepdims=True)
    return keras.Sequential([*features(), pooled, *ending])


def nested():
    return keras.Sequential([keras.Input(SHAPE), layers.Rescaling(2.0), dense("softmax")])


NETWORKS = [dense, softmax_behind, functional, pointwise, reshaped, nested]


# -- heads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", NETWORKS)
def test_a_new_head_stands_on_the_same_weights(make):
    net = make()
    new = _heads.renewed(net, 5)
    assert new.output_shape == (None, 5) and net.output_shape == (None, 7)
    of_old, of_new = (set(map(id, _heads.find(n).weights)) for n in (net, new))
    assert set(map(id, net.weights)) - of_old == set(map(id, new.weights)) - of_new
    assert not of_old & of_new and len(of_new) == 2
    logits = np.asarray(new(images()))
    assert logits.dtype == "float32" and np.abs(logits.sum(-1) - 1).max() > 1e-3


@pytest.mark.parametrize("make", NETWORKS)
def test_with_a_new_head_it_is_saved_and_read(make, tmp_path):
    new = _heads.renewed(make(), 5)
    new.save(tmp_path / "new.keras")
    again = keras.models.load_model(tmp_path / "new.keras")
    np.testing.assert_array_equal(new(images()), again(images()))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(7)

    def call(self, x, training=None):
        return self.dense(keras.ops.mean(x, (1, 2)))


def test_networks_whose_head_cannot_be_told():
    own = Subclassed()
    own(images())
    with pytest.raises(ModelError, match="the head of a subclassed network cannot be told"):
        _heads.renewed(own, 5)
    ends = keras.Sequential([*features(), layers.GlobalAveragePooling2D()])
    with pytest.raises(ModelError, match="no head can be told: .* found ReLU"):
        _heads.find(ends)
    hidden = keras.Sequential([*features(), layers.Flatten(), layers.Dense(7, "relu")])
    with pytest.raises(ModelError, match="no head can be told: .* found Dense"):
        _heads.find(hidden)


# -- files -------------------------------------------------------------------------------------


def built(path, classes=5, shape=SHAPE, **settings):
    return KerasFile.of(str(path))(**settings).build(shape, classes)


@pytest.mark.parametrize("make", [dense, lambda: dense("softmax"), functional, nested])
def test_a_file_with_a_new_head(make, tmp_path):
    make().save(tmp_path / "net.keras")
    assert built(tmp_path / "net.keras", new_head=True).output_shape == (None, 5)


def test_the_number_of_classes_that_differs_names_the_setting(tmp_path):
    dense().save(tmp_path / "net.keras")
    with pytest.raises(ModelError, match="expected 5 .* has 7; --model.new_head gives it a new"):
        built(tmp_path / "net.keras")
    assert built(tmp_path / "net.keras", classes=7).output_shape == (None, 7)


def test_a_head_that_cannot_be_told_is_one_line(tmp_path):
    hidden = keras.Sequential([*features(), layers.Flatten(), layers.Dense(7, "relu")])
    hidden.save(tmp_path / "net.keras")
    with pytest.raises(ModelError, match=r"net.keras: new_head: no head can be told: [^\n]*$"):
        built(tmp_path / "net.keras", new_head=True)
    with pytest.raises(ModelError, match=r"net.keras: freeze_epochs: no head can be told"):
        built(tmp_path / "net.keras", classes=7, freeze_epochs=1)


def test_images_of_another_size(tmp_path):
    keras.Sequential([*features(), layers.Flatten(), layers.Dense(7)]).save(tmp_path / "net.keras")
    with pytest.raises(
        ModelError, match=r"expected input \(9, 9, 3\), the model takes \(8, 8, 3\)"
    ):
        built(tmp_path / "net.keras", shape=(9, 9, 3), new_head=True)
    pointwise().save(tmp_path / "any.keras")
    net = built(tmp_path / "any.keras", shape=(12, 9, 3), new_head=True)
    assert net(np.zeros((1, 12, 9, 3), "float32")).shape == (1, 5)


def test_files_that_are_none(tmp_path):
    (tmp_path / "text.keras").write_text("no model")
    for name, said in (("none.keras", "no such model file"), ("text.keras", "cannot be read")):
        with pytest.raises(ModelError, match=said):
            built(tmp_path / name, new_head=True)


# -- names -------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """The folder of a run that has ended, as far as it matters here."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "config.toml").write_text(config.dumps(config.RunConfig()), encoding="utf-8")
    slr.models.small_cnn((8, 8, 1), 10, width=2).save(folder / "final.keras")
    return folder


def model(name, **settings):
    return config.load(values={"model": {"name": str(name), **settings}}).model


def test_a_run_is_its_best_network_and_else_its_final_one(run):
    assert model(run).name == str(run / "final.keras")
    slr.models.small_cnn((8, 8, 1), 10, width=2).save(run / "best.keras")
    again = model(run, new_head=True)
    assert again.name == str(run / "best.keras")
    assert again.build((8, 8, 1), 3).output_shape == (None, 3)


def test_a_run_without_a_network(run):
    (run / "final.keras").unlink()
    with pytest.raises(ModelError, match="no such model file: .*first/final.keras"):
        model(run).build((8, 8, 1), 10)


def test_a_folder_that_is_no_run_is_no_model(tmp_path):
    for name in (tmp_path, "", "x" * 5000):
        with pytest.raises(SettingError, match="model.name: unknown: "):
            model(name)


@pytest.mark.parametrize("name", ["applications/MobileNetV2", "my/net.keras"])
def test_settings_survive_toml_and_equal_ones_are_equal(name, tmp_path):
    given = config.load(values={"model": {"name": name, "freeze_epochs": 3}})
    (tmp_path / "config.toml").write_text(config.dumps(given), encoding="utf-8")
    assert config.load(file=tmp_path / "config.toml") == given
    assert given.model.name == name and given.model.freeze_epochs == 3


def test_a_configuration_of_before_is_read(tmp_path):
    (tmp_path / "old.toml").write_text('[model]\nname = "my/net.keras"\n', encoding="utf-8")
    old = config.load(file=tmp_path / "old.toml")
    assert old.model == KerasFile.of("my/net.keras")() and old.model.path == "my/net.keras"
    text = config.plain_text(old)
    before = text.replace("freeze_epochs = 0\nnew_head = false\n", "")
    assert before != text and config.renewed(before) == text


def test_settings_that_a_network_has_not():
    for name, key in (("small_cnn", "weights"), ("my.keras", "weights"), ("vgg16_bn", "new_head")):
        with pytest.raises(SettingError, match=f"model.{key}: unknown setting"):
            model(name, **{key: "none"})


def test_the_settings_are_listed_with_who_has_them():
    owners = {}
    for item in config.settings():
        owners.setdefault(item.path, []).append(item.variant)
    assert owners["model.weights"] == [Application.stand_in]
    assert owners["model.new_head"] == [KerasFile.stand_in]
    assert owners["model.freeze_epochs"] == [Application.stand_in, KerasFile.stand_in]
    assert list(config.variants("models")) == list(registry.variants("models"))
