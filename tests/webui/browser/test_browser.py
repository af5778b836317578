"""The pages in a real browser: no complaints, live without reload, usable without scripts, on a phone, in the dark."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.webui.browser.conftest import Site
from tests.webui.browser.serve_seeded import NAME, PASSWORD
from tests.webui.test_pages import PATHS
from tradewind.model.states import RunState, TaskState

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

WHOLE_PAGES = [path for path in PATHS if "_p=" not in path]
LIVE = "/dags/nightly_flights/graph?run=manual__live"
LOG = "/dags/nightly_flights/runs/manual__failing/tasks/load"


def test_every_page_loads_without_a_complaint_and_has_one_title(page: Page):
    for path in WHOLE_PAGES:
        answer = page.goto(path)
        assert answer is not None and answer.ok, path
        assert page.locator("h1").count() == 1, path
        assert "Tradewind" in page.title(), path


def test_every_page_fits_a_phone(browser: Browser, site: Site, login_state, watch):
    context = browser.new_context(base_url=site.url, storage_state=login_state, viewport={"width": 390, "height": 844})
    watch.over(context)
    page = context.new_page()
    for path in WHOLE_PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    context.close()


def test_without_scripts_one_can_log_in_read_pause_and_trigger(browser: Browser, site: Site):
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/dags")
    page.fill("#username", NAME)
    page.fill("#password", PASSWORD)
    page.click("button:has-text('Log in')")
    expect(page).to_have_url(re.compile("/dags$"))

    switch = page.get_by_role("switch", name="example_taskflow")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(page.get_by_role("switch", name="example_taskflow")).to_have_attribute("aria-checked", "false")

    page.goto("/dags/example_bash")
    expect(page.locator("[data-t=b]")).to_have_text(re.compile("^[a-zA-Z.]+$"))
    page.click("button[name=now]")
    expect(page).to_have_url(re.compile(r"/dags/example_bash/graph\?run=manual"))
    expect(page.locator("svg.graph [data-t=a]")).to_be_visible()

    page.goto(LOG)
    expect(page.locator("#L46")).to_contain_text("842 rows expected")
    context.close()


def test_a_graph_follows_its_run_without_reload(page: Page, site: Site):
    page.goto(LIVE)
    expect(page.locator("#live")).to_have_class(re.compile("on"))
    load = page.locator("[data-t=load]")
    expect(load).to_have_class(re.compile("s-none"))
    page.evaluate("window.mark = 1")

    site.seed.set_task("nightly_flights", "manual__live", "load", TaskState.RUNNING)
    expect(load).to_have_class(re.compile("s-running"))
    expect(load.locator(".kind")).to_contain_text("running")
    site.seed.set_task("nightly_flights", "manual__live", "load", TaskState.FAILED, RunState.FAILED)
    expect(load).to_have_class(re.compile("s-failed"))
    expect(page.locator("#run-state")).to_contain_text("failed")
    assert page.evaluate("window.mark") == 1
    site.seed.set_task("nightly_flights", "manual__live", "load", TaskState.NONE, RunState.RUNNING)


def test_lists_follow_without_reload(page: Page, site: Site):
    page.goto("/dags/nightly_flights/runs")
    expect(page.locator("#live")).to_have_class(re.compile("on"))
    page.evaluate("window.mark = 1")
    row = page.locator("tr", has=page.locator('a[href$="/runs/manual__live"]'))
    site.seed.set_task("nightly_flights", "manual__live", "join", TaskState.SUCCESS, RunState.SUCCESS)
    expect(row).to_contain_text("success")
    site.seed.set_task("nightly_flights", "manual__live", "join", TaskState.RUNNING, RunState.RUNNING)
    expect(row).to_contain_text("running")
    assert page.evaluate("window.mark") == 1


def test_a_log_grows_while_one_looks(page: Page, site: Site):
    path = site.seed.log("nightly_flights", "manual__live", "join", "[2026-11-22T19:00:00Z] INFO a - one\n")
    page.goto("/dags/nightly_flights/runs/manual__live/tasks/join")
    expect(page.locator("#L1")).to_contain_text("one")
    expect(page.locator("#live")).to_have_class(re.compile("on"))
    with path.open("a") as file:
        file.write("[2026-11-22T19:00:01Z] INFO a - two\n" * 300)
    expect(page.locator("#L301")).to_contain_text("two")
    expect(page.locator("#L301")).to_be_in_viewport()


def test_the_log_of_a_failed_task_opens_at_its_error(page: Page):
    page.goto(LOG)
    expect(page.locator("#L46.at")).to_be_in_viewport()
    page.keyboard.press("w")
    expect(page.locator("#log")).to_have_class(re.compile("nowrap"))
    page.select_option("#level", "e")
    expect(page.locator("#L1")).to_be_hidden()
    expect(page.locator("#L46")).to_be_visible()


def test_a_line_of_a_log_has_an_address(page: Page):
    page.goto(f"{LOG}#L12")
    expect(page.locator("#L12.at")).to_be_in_viewport()


def test_a_log_of_a_hundred_thousand_lines_opens_at_its_end_and_is_searched_as_a_whole(page: Page):
    page.goto("/dags/regional_sales/runs/all%20states/tasks/start")
    expect(page.locator("#L100000")).to_be_in_viewport()
    assert page.locator("#log p").count() < 4100
    page.click("[data-log=earlier]")
    expect(page.locator("#L92500")).to_be_attached()
    page.fill("[name=q]", "number 31337")
    page.keyboard.press("Enter")
    page.click(".hits a")
    expect(page.locator("#L31337.at")).to_be_in_viewport()


def test_a_task_of_the_graph_opens_beside_it_and_its_page_by_a_double_click(page: Page):
    page.goto("/dags/nightly_flights/graph?run=manual__failing")
    page.click("[data-t=load]")
    expect(page.locator("#pane")).to_contain_text("ValueError: 842 rows expected")
    page.keyboard.press("Escape")
    expect(page.locator("#pane")).to_be_hidden()
    page.dblclick("[data-t=load]")
    expect(page).to_have_url(re.compile("/tasks/load$"))


def test_the_graph_is_moved_zoomed_and_searched(page: Page):
    page.goto("/dags/regional_sales/graph?run=all%20states")
    before = page.locator("#view").get_attribute("transform")
    page.locator("#canvas").hover(position={"x": 300, "y": 300})
    page.mouse.wheel(0, -400)
    expect(page.locator("#view")).not_to_have_attribute("transform", before or "")
    page.keyboard.press("0")
    expect(page.locator("#view")).to_have_attribute("transform", before or "")
    page.click("[data-find=failed]")
    expect(page.locator("a.box:focus")).to_have_class(re.compile("s-failed"))
    expect(page.locator(".mini")).to_be_visible()


def test_groups_are_closed_and_opened_by_their_links(page: Page):
    page.goto("/dags/regional_sales/graph?run=all%20states")
    page.click("text=Close all")
    expect(page.locator("[data-t=load]")).to_contain_text("of 9 done")
    page.click("[data-t=load]")
    expect(page.locator('[data-t="load.eu"]')).to_be_visible()
    expect(page.locator('[data-t="transform"]')).to_be_visible()


def test_the_list_is_searched_while_one_types(page: Page):
    page.goto("/dags")
    page.keyboard.press("/")
    page.keyboard.type("flights")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=flights"))
    page.reload()
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_the_switch_pauses_without_leaving_the_page(page: Page):
    page.goto("/dags")
    switch = page.get_by_role("switch", name="ml_features")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(page.get_by_role("switch", name="ml_features")).to_have_attribute("aria-checked", "false")
    page.reload()
    expect(page.get_by_role("switch", name="ml_features")).to_have_attribute("aria-checked", "false")


def test_a_run_is_triggered_with_values_and_its_graph_opens(page: Page):
    page.goto("/dags/nightly_flights")
    page.click("text=Trigger >> visible=true")
    page.fill("#p_chunk_rows", "123")
    page.check("#p_dry_run")
    page.click("main form button.main")
    expect(page).to_have_url(re.compile(r"/graph\?run=manual"))
    page.click("text=Run page")
    page.click("text=Details")
    expect(page.locator("pre.box")).to_contain_text('"chunk_rows": 123')


def test_the_grid_draws_only_what_is_seen_and_its_cells_lead_to_tasks(page: Page):
    page.goto("/dags/nightly_flights")
    cells = page.locator('[data-t="load"] a.cell')
    expect(cells).to_have_count(25)
    page.click('[data-t="load"] a.cell[href*="manual__failing"]')
    expect(page).to_have_url(re.compile("/runs/manual__failing/tasks/load$"))


def test_times_are_shown_in_the_zone_of_the_browser(page: Page, context: BrowserContext):
    context.clear_cookies(name="tz")
    page.goto("/dags/nightly_flights/runs/manual__failing?view=details")
    expect(page.locator("dl.kv")).to_contain_text("CET")
    page.select_option("#zone", "UTC")
    expect(page.locator("dl.kv")).to_contain_text("UTC")


def test_the_theme_is_kept(page: Page):
    page.goto("/dags")
    page.click("#theme")
    theme = page.locator("html").get_attribute("data-theme")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", theme or "")


def test_a_seventh_tab_still_loads(context: BrowserContext):
    pages = [context.new_page() for _ in range(7)]
    for page in pages:
        page.goto("/dags", timeout=10_000)
        expect(page.locator("#live")).to_have_class(re.compile("on"))


def test_the_keyboard_reaches_everything_needed(page: Page):
    page.goto("/dags")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("dialog.keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/dags/billing_export"))
