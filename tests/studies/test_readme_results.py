"""The tables of studies in README and the pages are those of docs/results."""

import pytest

from benchmarks import results

PAGES = [page for page in results.pages() if "<!-- results:" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_what_the_studies_found(page):
    text = page.read_text(encoding="utf-8")
    assert results.filled(text, page) == text, "python -m benchmarks.results writes tables anew"


def test_every_study_in_docs_is_shown_once():
    texts = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for folder in (results.ROOT / "docs" / "results").iterdir():
        assert texts.count(f"<!-- results: {folder.name} -->") == 1
