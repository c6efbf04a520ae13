import re

from countenance.reporting.page import render_report

from .samples import whole_report


def test_the_page_asks_the_network_for_nothing() -> None:
    page = render_report(whole_report())
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", page)
    assert "<script" not in page and "@import" not in page
