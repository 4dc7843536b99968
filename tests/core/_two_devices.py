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
    """A classifier after two epochs; no BatchNorm, whose statistics are each device's own."""
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
        model = slr.RobustClassifier(net, num_samples=N, method=method, attack=attack)
        model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=5e-4))
    model.fit(x, y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0)
    return model


def main():
    """Train both and compare."""
    rng = np.random.default_rng(0)
    x, y = rng.random((N, 8, 8, 1), "float32"), rng.integers(0, 10, N)
    one, two = trained(1, x, y), trained(2, x, y)
    banks = [keras.ops.convert_to_numpy(model.label_bank.labels) for model in (one, two)]
    weights = zip(one.net.get_weights(), two.net.get_weights(), strict=True)
    found = {
        "devices": len(backend.devices()),
        "bank": float(abs(banks[0] - banks[1]).max()),
        "moved": float(abs(banks[0] - np.eye(10)[y]).max(1).min()),
        "weights": max(float(abs(a - b).max()) for a, b in weights),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
