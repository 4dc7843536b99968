"""What explains a run is recorded with it and shown in its report."""

import keras
import numpy as np

from slr_keras import report, train
from slr_keras.run_folder import RunFolder
from slr_keras.settings import registry
from slr_keras.training import observer


def test_a_run_records_and_its_report_shows(tmp_path, command, flags):
    run = tmp_path / "run"
    given = flags(train__epochs=2, analysis__record="all", analysis__samples=40)
    assert command(train.main, *given, "--run-dir", run, "--progress", "quiet") == 0
    told = RunFolder.open(run).analyses()
    assert [(t.epoch, t.analysis) for t in told] == [
        (e, a) for e in (1, 2) for a in registry.variants("analyses")
    ]
    arrays = np.load(run / "analysis" / "gradient_norm" / "000002.npz")
    assert arrays["image"].shape == arrays["weights"].shape == (40,)
    assert command(report.main, run, "--out", tmp_path / "r.html") == 0
    text = (tmp_path / "r.html").read_text()
    for name in ("gradient_norm", "memorisation", "calibration"):
        assert f"{name}: " in text and f"{name} over 2 epochs" in text
    with np.load(run / "analysis" / "images.npz") as kept:
        names, images = kept["class_names"], kept["images"]
    assert list(names) == [str(number) for number in range(10)]
    assert images.shape == (40, 8, 8, 1) and images.dtype == np.uint8 and images.max() == 255
    plain = tmp_path / "plain"
    given = flags(train__epochs=2)
    assert command(train.main, *given, "--run-dir", plain, "--progress", "quiet") == 0
    ends = [keras.models.load_model(each / "final.keras").get_weights() for each in (run, plain)]
    for recorded, wanted in zip(*ends, strict=True):
        np.testing.assert_array_equal(recorded, wanted)


def test_what_the_evaluation_attacked_is_not_attacked_again():
    class Attacking:
        def batches(self, x, y):
            assert len(x) == len(y) == 2
            yield y, y, x + 0.5

    images, label = np.arange(4.0).reshape(4, 1, 1, 1), np.arange(4)
    index = np.array([3, 5, 8, 9])
    seen = [(np.array([5]), images[:1] + 40), (np.array([9]), images[:1] + 50)]
    found = observer._attacked(Attacking(), images, label, index, seen)
    assert found.ravel().tolist() == [0.5, 40, 2.5, 50]
