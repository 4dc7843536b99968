"""The example of each kind in docs/examples keeps to the contracts, and trains."""

import importlib.util
import pathlib
import sys

from slr_keras import testing, train
from slr_keras.run_folder import RunFolder
from slr_keras.settings import plugins, registry

FILE = pathlib.Path(__file__).parents[2] / "docs" / "examples" / "parts.py"


def _parts():
    spec = importlib.util.spec_from_file_location("examples_of_parts", FILE)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = vars(module).values()
    return [value for value in found if registry.is_variant(value, spec.name)]


PARTS = _parts()


def test_there_is_one_of_each_kind():
    assert sorted(part.of_kind for part in PARTS) == sorted(registry.KINDS)


@testing.parametrize_with_checks(PARTS)
def test_examples_keep_to_the_contracts(part, check):
    check(part)


def test_all_of_them_in_one_run(tmp_path):
    words = "--data.name stripes --model.name linear --method.name focal --labels.name doubt"
    words += " --attack.name one_step --data.augment mirror --optimizer.name nadam"
    words += " --schedule.name halving --analysis.record confidence --optimizer.learning_rate 0.01"
    words += " --train.epochs 2 --progress quiet --no-train.tensorboard --eval.steps 2"
    run = tmp_path / "run"
    try:
        assert train.main([*words.split(), "--plugin", str(FILE), "--run-dir", str(run)]) == 0
        folder = RunFolder(run)
        assert folder.analyses()[0].analysis == "confidence"
        assert folder.epochs()[-1].val_accuracy > 0.6
        assert len(folder.plugin_records()) == 1
    finally:
        plugins.forget()
