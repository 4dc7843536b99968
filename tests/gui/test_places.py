"""Paths as people write them."""

import pathlib

from gui.models.places import shown, without_home


def test_inside_the_working_folder_paths_are_relative(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "runs" / "a") == str(pathlib.Path("runs", "a"))
    assert shown("runs/a") == "runs/a"
    assert shown(tmp_path.parent / "other") == without_home(str(tmp_path.parent / "other"))


def test_the_home_folder_is_not_named(monkeypatch, tmp_path):
    home = tmp_path / "ada"
    monkeypatch.setattr(pathlib.Path, "home", lambda: home)
    assert shown(home / "runs") == str(pathlib.Path("~", "runs"))
    text = f"in {home}, {home}/x and {home}lovelace"
    assert without_home(text) == f"in ~, ~/x and {home}lovelace"
