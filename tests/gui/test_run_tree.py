"""The rows of the table of runs: groups, their figures, search and order, without a window."""

from __future__ import annotations

import pathlib

import pytest

from gui.models.run_columns import COLUMNS
from gui.models.run_group import Group, states_in_words
from gui.models.run_query import Query
from gui.models.run_record import Figures, RunRecord
from gui.models.run_tree import RunTree, cell

ROOT = "/runs"
BY_NAME = {column.name: column for column in COLUMNS}


def record(name: str, best: float | None = None, drop: float = 0.0, **other) -> RunRecord:
    made = RunRecord(pathlib.Path(ROOT, name), name, **{"status": "done", **other})
    final = None if best is None else best - drop / 100
    figures = Figures(best_robust=best, final_robust=final, drop=None if best is None else drop)
    made._cache = (made.epochs.changes, made.summary, figures)
    return made


def tree_of(*records: RunRecord) -> RunTree:
    tree = RunTree({r.key: r for r in records}, ROOT, lambda path: path.removeprefix("/runs/"))
    tree.sort_by(BY_NAME["name"], descending=False)
    tree.arrange()
    return tree


@pytest.fixture
def tree() -> RunTree:
    return tree_of(
        record("study/a", 0.40, 10.0),
        record("study/b", 0.50, 0.0, status="crashed"),
        record("study/c", status="new"),
        record("alone"),
        record("deep/down/one", 0.3),
    )


def names(tree: RunTree) -> list[str]:
    return [row.name for row in tree.rows]


def text(row, column: str) -> str:
    return cell(row, BY_NAME[column]).text


def test_runs_of_one_folder_are_a_group(tree):
    assert names(tree) == ["alone", "deep/down/one", "study"]
    group = tree.rows[2]
    assert isinstance(group, Group) and [r.name for r in group.records] == [
        "study/a", "study/b", "study/c"
    ]  # fmt: skip
    assert tree.shown == 5 and [r.name for r in tree.records()][-1] == "study/c"
    assert tree.places["/runs/study/b"] == (group, 1) and tree.places["/runs/alone"] == (None, 0)


def test_the_runs_folder_itself_is_no_group():
    assert names(tree_of(record("a"), record("b"), record("c"))) == ["a", "b", "c"]


def test_a_group_says_mean_and_range(tree):
    group = tree.rows[2]
    assert text(group, "name") == "study · 3 runs"
    assert text(group, "best") == "45.0 % (40.0–50.0)"
    assert text(group, "final") == "40.0 % (30.0–50.0)"
    assert text(group, "drop") == "▼ 5.0 pp (0.0–10.0)"
    assert text(group, "status") == "✓ 1  ✕ 1  ○ 1"
    assert states_in_words(group.records) == "1 done, 1 crashed, 1 new"
    assert text(group, "clean") == "–"


def test_a_group_of_one_value_names_it_once():
    values = {"method.name": "at", "attack.eps": "8/255"}
    other = {"method.name": "slr", "attack.eps": "8/255"}
    tree = tree_of(record("s/a", 0.4, values=values), record("s/b", 0.4, values=other))
    group = tree.rows[0]
    assert text(group, "best") == "40.0 %"
    assert text(group, "epsilon") == "8/255" and text(group, "method") == "at, slr"
    assert cell(group, BY_NAME["method"]).key is None  # last, whatever the order


def test_every_column_says_something_of_a_group(tree):
    for column in COLUMNS:
        assert isinstance(text(tree.rows[2], column.name), str), column.name


def test_the_figures_of_a_group_are_those_of_the_runs_shown(tree):
    assert tree.ask(Query.parse("best>45"), ()) and tree.arrange()
    assert names(tree) == ["study"] and tree.searched and tree.shown == 1
    assert text(tree.rows[0], "name") == "study · 1 of 3 runs"
    assert text(tree.rows[0], "best") == "50.0 %"
    assert not tree.ask(Query.parse("best>45"), ())
    tree.ask(Query(), ("new",))
    tree.arrange()
    assert [r.name for r in tree.records()] == ["study/c"]
    tree.ask(Query.parse("nothing"), ())
    tree.arrange()
    assert tree.rows == [] and tree.shown == 0 and not tree.places


def test_one_folder_alone_needs_no_group(tree):
    tree.ask(Query(), (), ["/runs/study/a", "/runs/study/b", "/runs/study/c"])
    tree.arrange()
    assert names(tree) == ["study/a", "study/b", "study/c"] and not tree.searched


def test_groups_and_runs_are_sorted_together_and_inside(tree):
    tree.sort_by(BY_NAME["best"], descending=True)
    tree.arrange()
    assert names(tree) == ["study", "deep/down/one", "alone"]  # without a figure: last
    assert [r.name for r in tree.rows[0].records] == ["study/b", "study/a", "study/c"]
    tree.sort_by(BY_NAME["best"], descending=False)
    tree.arrange()
    assert names(tree) == ["deep/down/one", "study", "alone"]
    assert [r.name for r in tree.rows[1].records] == ["study/a", "study/b", "study/c"]


def test_runs_come_and_go(tree):
    records, group = tree._records, tree.rows[2]
    assert not tree.arrange()  # nothing moved
    records["/runs/study/d"] = record("study/d", 0.9)
    assert tree.arrange() and tree.group(group.number) is tree.rows[2]
    assert text(tree.rows[2], "best") == "60.0 % (40.0–90.0)"
    for name in "abc":
        del records[f"/runs/study/{name}"]
    assert tree.arrange()
    assert names(tree) == ["alone", "deep/down/one", "study/d"] and tree.groups() == []
