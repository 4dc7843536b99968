"""SIGKILL at any moment, and in mid-checkpoint: the resumed run ends bit-equal."""

import pytest

from benchmarks import kill_resume


def test_killed_once_anywhere_and_once_in_mid_checkpoint(tmp_path, capfd):
    arguments = ["--kills", "1", "--mid-checkpoint", "1", "--folder", str(tmp_path)]
    code = kill_resume.main([*arguments, "--epochs", "3", "--", "--model.strides", "2,1"])
    shown = capfd.readouterr().out
    assert code == 0, shown
    assert shown.count("bit-equal") == len(kill_resume.COMPARISONS)
    assert "while writing one" in shown


def test_the_comparison_notices_a_difference(finished, copy_of):
    other = copy_of(finished)
    assert not any(list(compare(finished, other)) for compare in kill_resume.COMPARISONS.values())
    history = other / "history.csv"
    history.write_text(history.read_text().replace("3,3,", "3,4,"))
    (other / "best.keras").write_bytes((finished / "final.keras").read_bytes())
    newest = sorted((other / "checkpoints").glob("*.npz"))
    newest[-1].write_bytes(newest[0].read_bytes())
    for name in ("history.csv", "last checkpoint"):
        assert list(kill_resume.COMPARISONS[name](finished, other)), name


@pytest.mark.slow
def test_killed_many_times(tmp_path):
    assert kill_resume.main(["--kills", "6", "--seed", "1", "--folder", str(tmp_path)]) == 0
