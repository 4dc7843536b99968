"""Program of test_devices.py: trains on one device, then on two; prints what differs, as JSON."""

import json
import os

if os.environ["KERAS_BACKEND"] == "tensorflow":
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras
import numpy as np

import slr_keras as slr
from slr_keras import backend

N, BATCH = 64, 16


SLR = slr.labels.SLR(start_epoch=1)
PLANS = {
    "crop-flip": {"labels": SLR, "ema_decay": 0.9, "awp": slr.AWP(gamma=0.05)},
    "idbh-weak": {"labels": slr.labels.ADR(anneal_epochs=2), "swa_start_epoch": 1},
}


def trained(count, x, y, augment):
    """A classifier after two epochs; no BatchNorm, whose statistics are each device's own."""
    batches = slr.data.Batches(x, y, batch_size=BATCH, seed=0, augment=augment, placed=True)
    keras.utils.set_random_seed(0)
    with backend.on_devices(count):
        net = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(8, 3, activation="softplus"),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(10),
            ]
        )
        attack = slr.attacks.PGD(norm="l2", eps=0.5, step_size=0.2, steps=3, random=False)
        options = PLANS[augment] | {"images": batches.x}
        model = slr.RobustClassifier(net, N, slr.methods.AT(), attack, **options)
        model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=5e-4))
    model.statistics_images = lambda: [x]
    model.fit(backend.feed(batches, 1, 0), epochs=2, steps_per_epoch=N // BATCH, verbose=0)
    return model


def compare(x, y, augment):
    """The largest differences of soft labels and weights; how far each label has moved at least."""
    one, two = trained(1, x, y, augment), trained(2, x, y, augment)
    nets = [net for model in (one, two) for net in (model.net, model.trained_network())]
    pairs = [zip(nets[i].get_weights(), nets[i + 2].get_weights(), strict=True) for i in (0, 1)]
    found = {"weights": max(float(abs(a - b).max()) for pair in pairs for a, b in pair)}
    if one.label_bank is None:
        return found
    banks = [keras.ops.convert_to_numpy(model.label_bank.labels) for model in (one, two)]
    moved = abs(banks[0] - np.eye(10)[y]).max(1).min()
    return found | {"bank": float(abs(banks[0] - banks[1]).max()), "moved": float(moved)}


def main():
    """Train each plan on one device and on two."""
    rng = np.random.default_rng(0)
    x, y = rng.random((N, 8, 8, 1), "float32"), rng.integers(0, 10, N)
    found = {augment: compare(x, y, augment) for augment in PLANS}
    print(json.dumps({"devices": len(backend.devices()), "found": found}))


if __name__ == "__main__":
    main()
