"""Runs are operated in a real browser: what is chosen is listed at once, and works without scripts, too."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.webui.browser.conftest import Site
from tests.webui.operated import OPERATED, backfill
from tradewind.model.spec import TaskSpec
from tradewind.model.states import RunState, TaskState

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

TASKS = (TaskSpec("a"), TaskSpec("b", upstream=("a",)), TaskSpec("c", upstream=("b",)))
BROKEN = {"a": "success", "b": "failed", "c": "upstream_failed"}
LIVE = {"a": "success", "b": "running", "c": "none"}


def broken_run(site: Site, dag_id: str) -> str:
    """Write a run that failed, and return the path of its page."""
    site.seed.run(dag_id, site.seed.dag(dag_id, TASKS), BROKEN, run_id="r", state=RunState.FAILED)
    return f"/dags/{dag_id}/runs/r"


def expect_listed(page: Page, *names: str) -> None:
    expect(page.locator("#preview tbody tr td:first-child")).to_have_text(list(names), use_inner_text=True)


def test_what_is_chosen_is_listed_at_once_and_cleared(page: Page, site: Site):
    path = broken_run(site, "to_clear")
    page.goto(f"{path}/tasks/b")
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page.locator("#go")).to_have_text("Clear 1 task instance")
    page.evaluate("window.mark = 1")
    page.get_by_label("What stands below").check()
    expect(page.locator("#go")).to_have_text("Clear 2 task instances")
    expect_listed(page, "b", "c")
    page.get_by_label("What stands above").check()
    expect(page.locator("#go")).to_have_text("Clear 3 task instances")
    page.get_by_label("Only those that failed").check()
    expect(page.locator("#go")).to_have_text("Clear 2 task instances")
    assert page.evaluate("window.mark") == 1  # the page was not loaded anew
    assert "csrf" not in page.url and "downstream=1" in page.url
    page.reload()
    expect(page.get_by_label("What stands below")).to_be_checked()
    page.click("#go")
    expect(page).to_have_url(re.compile(r"/tasks/b$"))
    expect(page.get_by_role("status").first).to_contain_text("Cleared: 2 task instances.")
    expect(page.locator("#task-state")).to_contain_text("waiting")
    page.goto(path)
    expect(page.locator("#run-state")).to_contain_text("queued")


def test_a_task_is_marked_by_way_of_the_graph(page: Page, site: Site):
    broken_run(site, "to_mark")
    page.goto("/dags/to_mark/graph?run=r")
    page.locator("svg.graph [data-t=b]").click()
    page.locator("#pane summary").click()
    page.locator("#pane").get_by_role("link", name="Mark success").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mark b as success")
    page.get_by_label("skipped").check()
    expect(page.locator("#go")).to_have_text("Mark 1 task instance as skipped")
    page.get_by_label("success").check()
    expect(page.locator("#go")).to_have_text("Mark 1 task instance as success")
    page.click("#go")
    expect(page.locator("#task-state")).to_contain_text("success")


def test_a_run_is_held_and_released_and_the_graph_follows(page: Page, site: Site):
    site.seed.run("to_hold", site.seed.dag("to_hold", TASKS), LIVE, run_id="r", state=RunState.RUNNING)
    page.goto("/dags/to_hold/graph?run=r")
    expect(page.locator("#live")).to_have_class(re.compile("on"))
    other = page.context.new_page()
    other.goto("/dags/to_hold/runs/r/hold?task=c")
    other.get_by_label("Why").fill("wait for the auditors")
    expect(other.locator("#preview [name=note]")).to_have_value("wait for the auditors")
    other.click("#go")
    expect(other.locator("#why")).to_contain_text("This task is held by admin: wait for the auditors")
    expect(page.locator("[data-t=c]")).to_have_class(re.compile("held"))
    expect(page.locator("[data-t=c] .heldmark")).to_be_visible()
    other.get_by_role("button", name="Release").first.click()
    expect(other.locator("#why")).not_to_contain_text("is held")
    expect(page.locator("[data-t=c]")).not_to_have_class(re.compile("held"))


def test_a_backfill_is_planned_started_and_paused(page: Page, site: Site):
    site.seed.dag("to_fill", TASKS)
    page.goto("/dags/to_fill")
    page.get_by_role("link", name="Backfill", exact=True).click()
    page.get_by_label("From").fill("2013-01-01T00:00")
    page.get_by_label("To, with that date").fill("2013-01-10T12:00")
    expect(page.locator("#go")).to_have_text("Start 10 runs")
    page.get_by_label("To, with that date").fill("2012-01-10T12:00")
    expect(page.locator("#preview")).to_contain_text("This cannot be")
    page.get_by_label("To, with that date").fill("2013-01-05T12:00")
    page.get_by_label("The latest first").check()
    expect(page.locator("#go")).to_have_text("Start 5 runs")
    expect(page.locator("#preview tbody tr").first).to_contain_text("2013-01-05")
    page.click("#go")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Backfill")
    expect(page.locator("#progress")).to_contain_text("0 of 5 runs done")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_contain_text("paused")
    page.locator("#acts summary").click()
    page.get_by_role("button", name="Cancel the backfill").click()
    expect(page.locator("#state")).not_to_contain_text("paused")


def test_it_all_goes_without_scripts(browser: Browser, site: Site, login_state):
    path = broken_run(site, "by_hand")
    state = {"base_url": site.url, "storage_state": login_state, "java_script_enabled": False}
    context = browser.new_context(**state)
    page = context.new_page()
    page.goto(path)
    page.get_by_role("link", name="Clear", exact=True).click()
    page.get_by_label("Only those that failed").check()
    page.get_by_role("button", name="Show what this means").click()
    expect_listed(page, "b", "c")
    page.click("#go")
    expect(page.locator("#run-state")).to_contain_text("queued")

    page.locator("#acts summary").click()
    page.get_by_role("link", name="Hold").click()
    page.click("#go")
    expect(page.locator("#held")).to_contain_text("The run is held")
    page.get_by_role("button", name="Release").first.click()
    expect(page.locator("#held")).to_be_empty()

    page.goto("/dags/by_hand/backfills/new")
    page.get_by_label("Runs at once").fill("2")
    page.get_by_role("button", name="Show what this means").click()
    expect(page.get_by_label("Runs at once")).to_have_value("2")
    page.click("#go")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Backfill")
    context.close()


def test_a_grid_shows_what_is_held(page: Page, site: Site):
    page.goto(f"/dags/{OPERATED}")
    expect(page.locator("[data-t=load] .cell.held use")).to_have_attribute("href", "#s-held")
    expect(page.locator(".runhead .heldmark")).to_be_visible()
    expect(page.locator(".legend.key")).to_contain_text("restarting")


def test_the_progress_of_a_backfill_moves_by_itself(page: Page, site: Site):
    version = site.seed.dag("moving", TASKS)
    backfill_id = backfill(site.seed, "moving", version, dates=6)
    page.goto(f"/backfills/{backfill_id}")
    expect(page.locator("#live")).to_have_class(re.compile("on"))
    expect(page.locator("#progress")).to_contain_text("3 of 5 runs done")
    run_id = "backfill__2013-01-04T00:00:00+00:00"
    site.seed.set_task("moving", run_id, "load", TaskState.SUCCESS, RunState.SUCCESS)
    expect(page.locator("#progress")).to_contain_text("4 of 5 runs done")
