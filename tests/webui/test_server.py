"""The server as a process: it says when it cannot start, and its pages obey their budgets of bytes."""

from __future__ import annotations

import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace

import pytest

from tests.webui.browser.serve_seeded import NAME, PASSWORD
from tests.webui.processes import running_server
from tests.webui.seed import ETL_GROUPS, ETL_TASKS
from tradewind.config import load_config, with_secrets
from tradewind.errors import TradewindError
from webui.app import create_app
from webui.assets import FOLDER, load_assets
from webui.auth.guard import OPEN_ENDPOINTS
from webui.server import check_port, serve, warm


def test_a_port_that_is_taken_is_said_with_the_mend(config):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(TradewindError, match=rf"127.0.0.1:{port}.*TRADEWIND__API__PORT"):
            serve(replace(config, api=replace(config.api, port=port)))


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(TradewindError, match="cannot listen at 203.0.113.7:1"):
        check_port("203.0.113.7", 1)


def test_to_trigger_a_dag_without_params_loads_no_library_that_this_does_not_need():
    program = """
import sys
from scheduler.runs import validate_conf
from tradewind.model.spec import DagSpec, ParamSpec, TimetableSpec
import webui.app

heavy = {"jsonschema", "networkx"}
validate_conf(DagSpec("d", TimetableSpec("NullTimetable"), ()), {"any": 1})
print(sorted(heavy & sys.modules.keys()))
validate_conf(DagSpec("d", TimetableSpec("NullTimetable"), (), params={"n": ParamSpec({"type": "integer"}, 1)}), {})
print(sorted(heavy & sys.modules.keys()))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["[]", "['jsonschema']"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("workers", [1, 2])
def test_the_server_serves_and_ends_at_once_though_a_page_is_live(tmp_path, workers):
    with running_server(tmp_path / "home", workers) as server:
        token = json.dumps({"username": NAME, "password": PASSWORD}).encode()
        asked = urllib.request.Request(
            f"{server.url}/auth/token", data=token, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=20) as answer:
            headers = {"Authorization": f"Bearer {json.load(answer)['access_token']}"}
        page = urllib.request.Request(f"{server.url}/dags", headers=headers)
        with urllib.request.urlopen(page, timeout=20) as answer:
            assert b"nightly_flights" in answer.read()
        live = urllib.request.Request(f"{server.url}/live?topics=run:nightly_flights/manual__live", headers=headers)
        with urllib.request.urlopen(live, timeout=20) as stream:
            assert stream.readline() == b"retry: 3000\n"
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=10) == 0


def test_all_templates_compile(app):
    warm(app)


def test_only_what_must_be_is_open_to_everybody(app):
    names = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert names >= OPEN_ENDPOINTS
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN_ENDPOINTS or "GET" not in (rule.methods or ()):
            continue
        path = re.sub(r"<int[^>]*>", "1", rule.rule)
        answer = client.get(re.sub(r"<[^>]*>", "x", path))
        assert answer.status_code in (302, 401), rule
        if answer.status_code == 302:
            assert answer.location.startswith("/login"), rule


def test_the_pages_can_be_served_below_a_path(database, home):
    config = with_secrets(load_config({"TRADEWIND__API__BASE_URL": "https://example.org/wind"}, home))
    client = create_app(config, database).test_client()
    answer = client.get("/wind/dags")
    assert answer.location == "/wind/login?next=/dags"
    page = client.get("/wind/login")
    assert 'action="/wind/login"' in page.text
    assert re.search(r'href="/wind/static/[0-9a-f]{12}/app.css"', page.text)
    assert "Strict-Transport-Security" in page.headers


def test_scripts_and_styles_stay_small():
    _, files = load_assets()
    scripts = sum(len(file.packed) for name, file in files.items() if name.endswith(".js"))
    assert scripts < 16_000
    assert len(files["app.css"].packed) < 12_000


def test_static_files_are_kept_for_ever_under_their_own_name(client):
    digest, files = load_assets()
    answer = client.get(f"/static/{digest}/core.js", headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["Cache-Control"]
    assert gzip.decompress(answer.data) == files["core.js"].data
    assert "immutable" not in client.get("/static/old/core.js").headers["Cache-Control"]


def test_pages_stay_within_their_budget_of_bytes(client, seed):
    for number in range(50):
        version = seed.dag(f"dag_{number:02}", ETL_TASKS[:4], tags=("etl",))
        for hour in range(2):
            seed.run(
                f"dag_{number:02}", version, {"clean": "success"}, run_id=f"r{hour}", due=seed.now.replace(hour=hour)
            )
    seed.dag("etl", ETL_TASKS, groups=ETL_GROUPS)
    for path, most in (("/dags", 14_000), ("/dags/etl/graph", 15_000), ("/dags/etl", 9_000)):
        assert len(client.get(path, headers={"Accept-Encoding": "gzip"}).data) < most, path


# --- colours ---------------------------------------------------------------------------------------------------------


def tokens() -> dict[str, tuple[str, str]]:
    text = (FOLDER / "app.css").read_text()
    return {m[1]: (m[2], m[3]) for m in re.finditer(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", text)}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_states_can_be_told_from_what_is_behind_them(theme):
    colour = {name: pair[theme] for name, pair in tokens().items()}
    for behind in ("bg", "surface", "sunken", "raised"):
        assert contrast(colour["text"], colour[behind]) >= 7
        for name in ("muted", "faint", "link", "danger", "warning", "ok"):
            assert contrast(colour[name], colour[behind]) >= 4.5, (name, behind)
    for behind in ("danger-bg", "warning-bg", "accent-bg"):
        assert contrast(colour["text"], colour[behind]) >= 7
    assert contrast(colour["on-accent"], colour["accent"]) >= 4.5
    states = ("success", "failed", "running", "queued", "scheduled", "deferred", "retry", "reschedule", "upstream",
              "skipped", "removed", "restarting", "input", "strong")  # fmt: skip
    for name in states:
        assert contrast(colour[name], colour["surface"]) >= 3, name
