"""The networks of ``keras.applications``, held against Keras' own preprocessing and networks."""

import warnings

import keras
import numpy as np
import pytest
from keras import applications, layers

from slr_keras.errors import ModelError, SettingError, UserError
from slr_keras.inference import InferenceNetwork
from slr_keras.models import _heads, _weights
from slr_keras.models._named import find
from slr_keras.models.applications import _module, _pixels, names

ONE_OF_EACH = {_module(getattr(applications, name)).__name__: name for name in names()}
SMALLEST = {"inception_v3": 75, "inception_resnet_v2": 75, "xception": 71}


def images(side=32, channels=3, count=2):
    return np.random.default_rng(0).random((count, side, side, channels), dtype="float32")


def built(name, side=32, channels=3, classes=5, **settings):
    return find(f"applications/{name}")(**settings).build((side, side, channels), classes)


@pytest.fixture(scope="module")
def mobile():
    return built("MobileNet")


@pytest.fixture(scope="module")
def theirs():
    """Keras' network of 1000 classes, with a softmax, whose weights are random."""
    return applications.MobileNet(weights=None, input_shape=(32, 32, 3), classes=1000)


# -- pixels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", sorted(ONE_OF_EACH.values()))
def test_pixels_are_what_keras_makes_of_them(name, channels):
    preprocess = _module(getattr(applications, name)).preprocess_input
    inputs = keras.Input((8, 8, channels))
    ours = keras.Model(inputs, _pixels(inputs, preprocess))(images(8, channels))
    colour = np.repeat(images(8, channels), 3 // channels, axis=-1)
    wanted = preprocess(255 * colour)
    np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-5)


def same_logits(name, side):
    """Logits of ours, and of Keras' network with the same weights on what it makes of pixels."""
    make = getattr(applications, name)
    net = built(name, side)
    shape = (side, side, 3)
    own = make(weights=None, input_shape=shape, classes=5, classifier_activation=None)
    adapted = {id(w) for layer in own.layers if is_adapted(layer) for w in layer.weights}
    rest = [weight for weight in own.weights if id(weight) not in adapted]
    for weight, value in zip(rest, net.get_weights(), strict=True):
        weight.assign(value)
    pixels = _module(make).preprocess_input(255 * images(side))
    return net(images(side), training=False), own(pixels, training=False)


def is_adapted(layer):
    return isinstance(layer, layers.Normalization) and layer.input_mean is None


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small"])
def test_logits_are_those_of_keras(name):
    ours, wanted = same_logits(name, 32)
    np.testing.assert_allclose(ours, wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(ONE_OF_EACH))
def test_logits_of_every_family_are_those_of_keras(module):
    name = {"resnet": "ResNet50", "convnext": "ConvNeXtTiny", "densenet": "DenseNet121"}
    name |= {"efficientnet": "EfficientNetB0", "nasnet": "NASNetMobile"}
    module = module.rpartition(".")[2]
    side = SMALLEST.get(module, 32)
    ours, wanted = same_logits(name.get(module, names_of(module)[0]), side)
    np.testing.assert_allclose(ours, wanted, atol=1e-5 * np.abs(wanted).max())


def names_of(module):
    return [n for n in names() if getattr(applications, n).__module__.endswith(f".{module}")]


# -- the network -------------------------------------------------------------------------------


def test_plain_keras_reads_its_file(mobile, tmp_path):
    assert "slr_keras" not in mobile.to_json()
    mobile.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(mobile(images()), again(images()))


def test_the_attack_sees_it_folded(mobile):
    wanted = np.asarray(mobile(images(), training=False))
    inference = InferenceNetwork(mobile)
    np.testing.assert_allclose(inference.snapshot()(images()), wanted, atol=1e-5)
    assert len(inference.frozen) == 15 + 13  # convolutions; BatchNorms behind depthwise ones


def test_grey_images_are_made_colour():
    net = built("MobileNet", channels=1)
    assert net.input_shape == (None, 32, 32, 1)
    assert net(images(channels=1)).shape == (2, 5)


def test_statistics_follow_at_once(mobile):
    norms = [layer for layer in mobile.layers if isinstance(layer, layers.BatchNormalization)]
    assert len(norms) == 27 and {layer.momentum for layer in norms} == {0.9}


def test_logits_are_float32_under_any_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net = built("MobileNet")
    finally:
        keras.config.set_dtype_policy("float32")
    assert net.compute_dtype == "bfloat16" and net.outputs[0].dtype == "float32"
    assert _heads.find(net).compute_dtype == "float32"


def test_images_that_do_not_fit():
    with pytest.raises(
        ModelError, match="MobileNet: expected images of at least 32 x 32 pixels, r"
    ):
        built("MobileNet", side=8)
    with pytest.raises(ModelError, match="at least 71 x 71 pixels, received 32 x 32"):
        built("Xception")
    with pytest.raises(ModelError, match="expected images of 1 or 3 channels, received 4"):
        built("MobileNet", channels=4)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(SettingError, match="model.name: .* no 'MobileNetV4'. Did you mean 'Mob"):
        built("MobileNetV4")


# -- weights -----------------------------------------------------------------------------------


def written(theirs, path):
    with warnings.catch_warnings():  # Keras' downloads have the old format, and it warns of it
        warnings.simplefilter("ignore")
        (theirs.save_weights if path.suffixes == [".weights", ".h5"] else theirs.save)(path)
    return str(path)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_weights_of_a_file(theirs, tmp_path, suffix):
    net = built("MobileNet", weights=written(theirs, tmp_path / f"net{suffix}"))
    assert net.output_shape == (None, 5)
    for ours, given in zip(net.get_weights()[:-2], theirs.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, given)


def test_as_many_classes_have_the_head_of_the_file(theirs, tmp_path):
    path = written(theirs, tmp_path / "net.weights.h5")
    net = built("MobileNet", classes=1000, weights=path)
    wanted = theirs(2 * images() - 1, training=False)
    ours = keras.ops.softmax(net(images(), training=False))
    np.testing.assert_allclose(ours, wanted, rtol=1e-4)


def test_weights_of_another_network(theirs, tmp_path):
    other = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(5)])
    other.save(tmp_path / "net.keras")
    with pytest.raises(
        ModelError, match="expected the 137 arrays of mobilenet.*, received 2: it i"
    ):
        _weights.from_file(theirs, str(tmp_path / "net.keras"))
    other.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(ModelError, match=r"net.weights.h5: .* has shape .*, received None"):
        _weights.from_file(theirs, str(tmp_path / "net.weights.h5"))


def test_weights_that_are_not_there(theirs, tmp_path):
    with pytest.raises(SettingError, match="weights: expected .* 'imagnet'. Did you mean 'imagen"):
        find("applications/MobileNet")(weights="imagnet")
    with pytest.raises(ModelError, match="model.weights: no such file: .*none.h5"):
        _weights.from_file(theirs, str(tmp_path / "none.h5"))
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(ModelError, match="text.h5 cannot be read as weights of mobilenet"):
        _weights.from_file(theirs, str(tmp_path / "text.h5"))


def test_imagenet_without_a_network_names_the_file(monkeypatch, tmp_path):
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody answers
    with pytest.raises(UserError) as error:
        built("MobileNet", weights="imagenet")
    said = str(error.value)
    assert "cannot be downloaded" in said and "--model.weights mobilenet_1_0_224_tf.h5" in said
    assert "\n" not in said


def test_a_normalisation_that_was_adapted_becomes_constant():
    inputs = x = keras.Input((4, 4, 3))
    for layer in (layers.Normalization(), layers.Conv2D(2, 1), layers.Flatten(), layers.Dense(5)):
        x = layer(x)
    net = keras.Model(inputs, x)
    plain = _weights.settled(net)
    np.testing.assert_allclose(plain(images(4)), net(images(4)), atol=1e-6)
    mean, variance = np.array([0.1, 0.2, 0.3]), np.array(_weights.DEVIATION)
    norm = net.layers[1]
    norm.adapt_mean.assign(mean)
    norm.adapt_variance.assign(variance)
    copy = _weights.settled(net)
    assert len(copy.weights) == len(net.weights) - 3
    inner = keras.Model(norm.output, net.output)
    wanted = inner((images(4) - mean) / np.sqrt(variance) / np.sqrt(_weights.DEVIATION))
    np.testing.assert_allclose(copy(images(4)), wanted, atol=1e-5)
