"""README's tables are those of docs/results."""

import pathlib

from benchmarks import results

ROOT = pathlib.Path(results.ROOT)


def test_readme_says_what_the_studies_found():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert results.filled(text) == text, "python -m benchmarks.results writes README's tables anew"


def test_every_study_in_docs_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in (ROOT / "docs" / "results").iterdir():
        assert f"<!-- results: {folder.name} -->" in text
