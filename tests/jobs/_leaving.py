"""Program of test_jobs_leaving.py: trains and ends in one of several ways.

Arguments: how it ends (``open``: with iterators still open, ``error``: by an error inside ``fit``,
``command``: as ``slr_keras.train`` does), the number of devices, flags of the command.
"""

import os
import sys
import time

DEVICES = 2

if os.environ["KERAS_BACKEND"] == "tensorflow":
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * DEVICES
    tf.config.set_logical_device_configuration(cpu, logical)

import keras  # noqa: E402
import numpy as np  # noqa: E402

import slr_keras as slr  # noqa: E402
from slr_keras import backend, train  # noqa: E402
from slr_keras.terminal import cli  # noqa: E402


class Failing(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise RuntimeError("an error inside fit")


class Slow(slr.data.Batches):
    def batch(self, epoch, batch):  # some thread is in here at any time, at the end too
        time.sleep(0.05)
        return super().batch(epoch, batch)


def fitted(devices, callbacks):
    """The open iterators of a small training, the one that it reads among them."""
    x, y = np.random.default_rng(0).random((32, 8, 8, 1), "float32"), np.arange(32) % 10
    batches = Slow(x, y, batch_size=8, seed=0)
    with backend.on_devices(devices):
        layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
        attack, method = slr.attacks.FGSM(eps=0.1), slr.methods.AT()
        model = slr.RobustClassifier(keras.Sequential(layers), attack=attack, method=method)
        model.compile(optimizer=slr.optimizers.SGD(0.1))
    streams = [backend.feed(batches, 1, 0), iter(backend.feed(batches, 1, 0)), batches.stream()]
    next(streams[1]), next(streams[2])
    streams.append(streams)  # the collector alone could free them
    model.fit(streams[0], steps_per_epoch=2, callbacks=callbacks, verbose=0)
    return model, streams


def main():
    """End as the arguments say."""
    global kept
    end, devices, *flags = sys.argv[1:]
    if end == "command":
        return cli.run(train.main, flags)
    assert len(backend.devices()) >= int(devices)
    kept = fitted(int(devices), [Failing()] if end == "error" else [])
    print("trained", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
