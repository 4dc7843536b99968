"""What a study draws of analyses that only some of its runs have."""

import io

import numpy as np
import pytest
from PIL import Image

from slr_keras.studies import pages


def run(arm, **analyses):
    return {"arm": arm, "seed": 0, "analyses": analyses}


@pytest.mark.parametrize("measured", [{}, {"auroc": [0.5, 0.9]}])
@pytest.mark.filterwarnings("error")
def test_an_arm_without_a_label_bank_has_no_line(measured):
    told = {"label_quality": {"epoch": [1, 2]} | measured}
    results = {"arms": ["AT", "AT + SLR"], "runs": [run("AT"), run("AT + SLR", **told)]}
    with Image.open(io.BytesIO(pages.analysis(results, "label_quality"))) as image:
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    second = abs(colours - [0xFF, 0x7F, 0x0E]).max(1) < 8
    assert second.any() == bool(measured)
