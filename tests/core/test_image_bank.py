"""Images on the device: the pixels of batches that the host prepares, bit for bit."""

import keras
import numpy as np
import pytest

from slr_keras import backend
from slr_keras.attacks.fgsm import FGSM
from slr_keras.data import Batches
from slr_keras.errors import DataError
from slr_keras.methods.slr import SLR
from slr_keras.optimizers import SGD
from slr_keras.settings import registry
from slr_keras.training.checkpoints import state_of
from slr_keras.training.image_bank import ImageBank
from slr_keras.training.loop import images_on_device
from slr_keras.training.robust_classifier import RobustClassifier

N, K = 50, 4


def images(dtype, shape=(8, 6, 3)):
    values = np.random.default_rng(1).integers(0, 256, (N, *shape)).astype("uint8")
    return values if dtype == "uint8" else (values / 255).astype("float32")


@pytest.mark.parametrize("augment", registry.variants("augmentations"))
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_device_makes_the_batches_of_the_host(dtype, augment):
    x, y = images(dtype), np.arange(N) % K
    host, device = (
        Batches(x, y, batch_size=32, seed=5, augment=augment, placed=placed)
        for placed in (False, True)
    )
    bank = ImageBank(device.x)
    read = backend.compiled(
        lambda d: bank.read(d["index"], {name: d[name] for name in d if name != "index"})
    )
    for epoch, b in ((1, 0), (1, 1), (7, 1)):
        (wanted, labels), (sent, given) = host.batch(epoch, b), device.batch(epoch, b)
        np.testing.assert_array_equal(labels, given)
        assert "image" not in sent
        found = read({name: keras.ops.convert_to_tensor(value) for name, value in sent.items()})
        found = keras.ops.convert_to_numpy(found)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted["image"])


def classifier(x, placed, **options):
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [keras.Input(x.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(K)]
    )
    model = RobustClassifier(
        net,
        N,
        SLR(start_epoch=1),
        FGSM(eps=0.05),
        images=x if placed else None,
        **options,
    )
    model.compile(optimizer=SGD(0.1))
    return model


@pytest.fixture(scope="module")
def trained():
    """The same training, with images from the host and on the device."""
    x, y, models = images("uint8"), np.arange(N) % K, []
    for placed in (False, True):
        model = classifier(x, placed)
        batches = Batches(x, y, batch_size=25, seed=0, augment="crop-flip", placed=placed)
        stream = backend.feed(batches, 1, 0)
        model.fit(stream, epochs=2, steps_per_epoch=2, shuffle=False, verbose=0)
        models.append(model)
    return models


def test_training_is_the_same(trained):
    host, device = trained
    for one, other in zip(host.net.get_weights(), device.net.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)
    banks = [keras.ops.convert_to_numpy(model.label_bank.labels) for model in trained]
    np.testing.assert_allclose(*banks, atol=1e-7)


def test_no_file_contains_the_images(trained, tmp_path):
    sizes = []
    for number, model in enumerate(trained):
        model.save(tmp_path / f"{number}.keras")
        sizes.append((tmp_path / f"{number}.keras").stat().st_size)
        assert keras.models.load_model(tmp_path / f"{number}.keras").image_bank is None
    assert abs(sizes[1] - sizes[0]) < 3000 < images("uint8").nbytes
    one, other = (dict(state_of(model)) for model in trained)
    assert {k: v.shape for k, v in one.items()} == {k: v.shape for k, v in other.items()}


def test_evaluation_takes_images_as_ever(trained):
    x, y = images("float32"), np.arange(N) % K
    host, device = (model.evaluate(x, y, verbose=0, return_dict=True) for model in trained)
    assert host == pytest.approx(device, abs=1e-6)


def test_images_of_another_training_set_are_refused():
    with pytest.raises(DataError, match=r"expected 50 training images .*received 49"):
        classifier(images("uint8")[1:], True)


def test_where_images_wait(monkeypatch):
    few = images("uint8")
    module = __import__(backend.device_memory.__module__, fromlist=["device_memory"])
    assert images_on_device("device", few) and not images_on_device("host", few)
    for memory, wanted in ((0, False), (4 * few.nbytes - 1, False), (4 * few.nbytes, True)):
        monkeypatch.setattr(module, "device_memory", lambda memory=memory: memory)
        assert images_on_device("auto", few) == wanted
