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


def test_an_arm_is_compared_at_its_own_point_of_the_grid():
    from slr_keras.evaluation.bits import bits_of
    from slr_keras.studies import plan, tables
    from slr_keras.studies import results as collected

    def run(arm, right):
        row = {"accuracy": float(np.mean(right)), "interval": [0, 1], "samples": 8}
        row["right"] = bits_of(np.array(right, bool))
        model = {"attacks": {"pgd-20": row}, "data_digest": "d"}
        return {"run": arm, "arm": arm, "seed": 0, "models": {"best": model}}

    rights = {
        "AT, noise 0": [1] * 8,
        "SLR, noise 0": [1] * 7 + [0],
        "AT, noise 1": [0] * 8,
        "SLR, noise 1": [1] * 4 + [0] * 4,
    }
    arms = list(rights)
    runs = [plan.StudyRun(arm, arm, 0, None, arm.partition(", ")[2]) for arm in arms]
    found = {"arms": arms, "attacks": ["pgd-20"], "references": collected.references(runs)}
    found["runs"] = [run(arm, right) for arm, right in rights.items()]
    last = [row[-1].partition(" ")[0] for row in tables.rows(found)]
    assert last == ["–", "-12.5", "–", "+50.0"]
    assert "against AT (" in tables.header(found)[-1]
    del found["references"]  # results of before
    assert [row[-1].partition(" ")[0] for row in tables.rows(found)][3] == "-50.0"
