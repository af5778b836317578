"""Can everybody use the pages? axe-core finds nothing wrong with any of them: names, contrast, order, roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.webui.browser.conftest import Site
from tests.webui.browser.test_browser import WHOLE_PAGES

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

PARTS = 4
"""The pages are looked at in so many tests: all of them in one would take minutes on a busy machine."""

LOOKS: Final[Sequence[tuple[Literal["light", "dark"], int]]] = (("light", 1400), ("dark", 1400), ("light", 390))
"""Theme and width."""


def violations(page: Page) -> list[str]:
    """Return what is wrong with the page that is shown, one line for each element."""
    return [
        f"{page.url}: {found['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for found in Axe().run(page).response["violations"]
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_wrong_with_any_page(page: Page, part):
    wrong = []
    for path in WHOLE_PAGES[part::PARTS]:
        page.goto(path)
        for theme, width in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            wrong += violations(page)
    assert wrong == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wrong_with_the_login(browser: Browser, site: Site, theme):
    context = browser.new_context(base_url=site.url, color_scheme=theme)
    page = context.new_page()
    page.goto("/login")
    assert violations(page) == []
    context.close()


def test_what_is_wrong_would_be_found(page: Page):
    page.goto("/dags")
    page.evaluate("document.querySelector('h1').setAttribute('role', 'nonsense')")
    assert any("aria-roles" in line for line in violations(page))
