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


def trained(count, x, y):
    """A classifier after two epochs; no BatchNorm, whose statistics are each device's own.

    Its images are on the devices, its weights are perturbed and averaged.
    """
    batches = slr.data.Batches(x, y, batch_size=BATCH, seed=0, augment="crop-flip", placed=True)
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
        method = slr.methods.SLR(start_epoch=1)
        options = {"images": x, "ema_decay": 0.9, "awp": slr.AWP(gamma=0.05)}
        model = slr.RobustClassifier(net, N, method, attack, **options)
        model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=5e-4))
    model.fit(backend.feed(batches, 1, 0), epochs=2, steps_per_epoch=N // BATCH, verbose=0)
    return model


def main():
    """Train both and compare."""
    rng = np.random.default_rng(0)
    x, y = rng.random((N, 8, 8, 1), "float32"), rng.integers(0, 10, N)
    one, two = trained(1, x, y), trained(2, x, y)
    banks = [keras.ops.convert_to_numpy(model.label_bank.labels) for model in (one, two)]
    nets = [net for model in (one, two) for net in (model.net, model.trained_network())]
    pairs = [zip(nets[i].get_weights(), nets[i + 2].get_weights(), strict=True) for i in (0, 1)]
    found = {
        "devices": len(backend.devices()),
        "bank": float(abs(banks[0] - banks[1]).max()),
        "moved": float(abs(banks[0] - np.eye(10)[y]).max(1).min()),
        "weights": max(float(abs(a - b).max()) for pair in pairs for a, b in pair),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
