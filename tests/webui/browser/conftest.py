"""A real browser on the real server. Nothing may leave the machine, nothing may be complained of in the console."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from sqlalchemy import select

from tests.support.chromium import require
from tests.webui.browser.serve_seeded import NAME, PASSWORD
from tests.webui.processes import running_server
from tests.webui.seed import Seed
from tradewind.config import load_config
from tradewind.metadata.database import Database
from tradewind.metadata.models import DagRun

expect.set_options(timeout=20_000)  # of a busy machine; a page that is right answers within a tenth of a second


@dataclass
class Site:
    """The server under test, and its database."""

    url: str
    seed: Seed


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site") / "home"
    with running_server(home) as server:
        config = load_config({}, home)
        db = Database(config.database.sql_alchemy_conn)
        seed = Seed(db, config.logging.base_log_folder)
        with db.read() as tx:
            seed.pks = {(row[1], row[2]): row[0] for row in tx.execute(select(DagRun.id, DagRun.dag_id, DagRun.run_id))}
        yield Site(server.url, seed)
        db.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require(),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def login_state(browser: Browser, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cookies of somebody who is logged in."""
    path = tmp_path_factory.mktemp("login") / "state.json"
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/login")
    page.fill("#username", NAME)
    page.fill("#password", PASSWORD)
    page.click("text=Log in >> visible=true")
    page.wait_for_url(f"{site.url}/")
    context.storage_state(path=path)
    context.close()
    return path


class Watch:
    """Notes what a browser should never do: complain, fail, or talk to anybody else."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.complaints: list[str] = []

    def over(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._check(request.url))
        context.on("page", self.over_page)

    def over_page(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda said: self._hear(page, said))

    def _hear(self, page: Page, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(f"{page.url}: {said.text}")

    def _check(self, url: str) -> None:
        if not url.startswith((self.site.url, "data:", "blob:")):
            self.complaints.append(f"request to {url}")


@pytest.fixture
def watch(site: Site) -> Iterator[Watch]:
    watch = Watch(site)
    yield watch
    assert watch.complaints == []


@pytest.fixture
def context(browser: Browser, site: Site, login_state: Path, watch: Watch) -> Iterator[BrowserContext]:
    context = browser.new_context(
        base_url=site.url,
        storage_state=login_state,
        viewport={"width": 1400, "height": 900},
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(15_000)
    watch.over(context)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
