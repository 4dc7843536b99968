"""Several devices of one machine: the same bank and the same weights as on one."""

import importlib.util
import json
import os
import pathlib
import sys

import numpy as np
import pytest

from slr_keras import backend
from slr_keras.config import RunConfig
from slr_keras.data import Batches
from slr_keras.errors import SettingError, UserError
from slr_keras.training.loop import device_count
from tests.processes import finished

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_two_devices_refine_the_same_labels_as_one(name):
    if not importlib.util.find_spec(name):
        pytest.skip(f"{name} is not installed")
    extra = {"KERAS_BACKEND": name, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    program = [sys.executable, "-m", "tests.core._two_devices"]
    done = finished(program, env=os.environ | extra, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == 2
    for plan in found["found"].values():
        assert plan["weights"] < 1e-6 and plan.get("bank", 0) < 1e-6
        assert plan.get("moved", 1) > 0.05, "every sample is refined, or equality shows nothing"


def test_devices_that_are_not_there_and_batches_that_cannot_be_shared(monkeypatch):
    module = sys.modules[backend.on_devices.__module__]
    monkeypatch.setattr(module, "devices", lambda: ["GPU:0", "GPU:1", "GPU:2"])
    assert device_count("all", 96) == 3 and device_count("2", 96) == 2
    with pytest.raises(UserError, match=r"expected 1 to 3 .*GPU:2\), received 4"):
        device_count("4", 96)
    with pytest.raises(UserError, match="128 images cannot be shared evenly by 3 devices; try 126"):
        device_count("3", 128)


@pytest.mark.parametrize("devices", ["0", "-1", "two", "1.5", ""])
def test_a_number_or_all(devices):
    with pytest.raises(SettingError, match="1 or more, or all"):
        RunConfig(devices=devices)


def test_the_last_batch_is_cut_to_equal_shares():
    x = np.zeros((10, 4, 4, 1), "float32")
    batches = Batches(x, np.arange(10), batch_size=4, seed=0, shares=4)
    sizes = [len(batches.batch(1, b)[1]) for b in range(batches.steps_per_epoch)]
    assert sizes == [4, 4]
    assert batches.left_out.startswith("2 of the 10 training images")
    seen = {int(i) for epoch in range(1, 20) for b in (0, 1) for i in batches.batch(epoch, b)[1]}
    assert seen == set(range(10)), "those that sit out change"
    even = Batches(x, np.arange(10), batch_size=4, seed=0, shares=2)
    assert [len(even.batch(1, b)[1]) for b in range(3)] == [4, 4, 2] and not even.left_out
