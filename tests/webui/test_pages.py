"""What the pages show and do, on both databases."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import event, update

from scheduler.dagfiles.folders import EXAMPLES
from tests.webui.conftest import csrf_of
from tests.webui.operated import operated
from tests.webui.seed import ETL_GROUPS, ETL_TASKS, FAILED_LOG, showcase
from tradewind.metadata.models import AuditEntry, DagRun
from tradewind.model.parsed import FileWarning
from tradewind.model.spec import ParamSpec, TaskSpec
from tradewind.model.states import RunState
from webui.live.topics import parse_topics

STATES = {"a": "success", "b": "failed", "c": "upstream_failed"}
SMALL = (TaskSpec("a", "BashOperator"), TaskSpec("b", "@task", ("a",)), TaskSpec("c", "EmptyOperator", ("b",)))

PATHS = (
    "/",
    "/dags",
    "/dags?show=failed",
    "/dags?q=nightly&tag=etl",
    "/dags/nightly_flights",
    "/dags/nightly_flights?n=10&run=manual__failing",
    "/dags/nightly_flights/graph",
    "/dags/nightly_flights/graph?run=manual__failing&open=,&direction=TB",
    "/dags/nightly_flights/graph?run=manual__failing&focus=load&depth=1",
    "/dags/nightly_flights/runs",
    "/dags/nightly_flights/runs?state=failed&type=manual",
    "/dags/example_branching/unpause",
    "/dag_runs",
    "/dags/nightly_flights/runs/manual__failing",
    "/dags/nightly_flights/runs/manual__failing?view=graph",
    "/dags/nightly_flights/runs/manual__failing?view=events",
    "/dags/nightly_flights/runs/manual__failing?view=details",
    "/dags/nightly_flights/runs/manual__failing/tasks/load",
    "/dags/nightly_flights/runs/manual__failing/tasks/load?view=tries",
    "/dags/nightly_flights/runs/manual__failing/tasks/load?view=rendered",
    "/dags/nightly_flights/runs/manual__failing/tasks/extract.flights?view=xcom",
    "/dags/nightly_flights/runs/manual__failing/tasks/load?view=events",
    "/dags/nightly_flights/runs/manual__failing/tasks/load?_p=panel",
    "/dags/nightly_flights/runs/manual__live",
    "/dags/nightly_flights/runs/manual__live/tasks/report",
    "/dags/nightly_flights/code",
    "/dags/nightly_flights/trigger",
    "/dags/brand_new",
    "/dags/brand_new/graph",
    "/dags/billing_export",
    "/import_errors",
    "/required_actions",
    "/required_actions?show=all",
    "/dags/tariffs",
    "/dags/tariffs/graph?run=held load",
    "/dags/tariffs/runs/held",
    "/dags/tariffs/runs/held load/tasks/load",
    "/dags/tariffs/runs/again/tasks/load?_p=panel",
    "/dags/tariffs/backfills",
    "/dags/tariffs/backfills/new",
    "/backfills",
    "/backfills/1",
    "/limits",
    "/limits?full=yes",
    "/backfills/1?show=left+out",
    "/dags/nightly_flights/runs/manual__failing/clear?task=load&downstream=1",
    "/dags/nightly_flights/runs/manual__failing/mark?task=load&state=skipped&past=1",
    "/dags/nightly_flights/runs/manual__live/mark?state=failed",
    "/dags/nightly_flights/runs/manual__live/hold",
    "/dags/nightly_flights/runs/manual__live/stop",
    "/dags/nightly_flights/runs/manual__failing/replay?task=load",
)


def test_every_page_is_made(client, seed):
    showcase(seed)
    operated(seed)
    for path in PATHS:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:2000])
        assert "style=" not in answer.text, path  # the content policy would drop it


def test_warnings_of_a_file_are_shown_on_the_pages_of_its_dags(client, seed):
    warning = FileWarning("d.py", 7, "IgnoredArgumentWarning", "sla= means nothing here; remove it")
    seed.dag("d", SMALL, warnings=[warning])
    page = client.get("/dags/d").text
    assert "1 warning in the file" in page and "d.py:7" in page and "remove it" in page


def test_an_empty_installation_says_what_to_do(client):
    assert "Put a Python file with a DAG" in client.get("/dags").text
    assert "No scheduler is running" in client.get("/").text


@pytest.mark.parametrize(
    "path",
    ["/dags/nightly", "/dags/d/runs/none", "/dags/d/runs/r/tasks/none", "/dags/d/code?version=9", "/no/such/page",
     "/dags/d/graph?run=none"],
)  # fmt: skip
def test_what_does_not_exist_is_a_404_that_says_so(client, seed, path):
    seed.run("d", seed.dag("d", SMALL), STATES, run_id="r")
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text


def test_the_nearest_name_is_offered(client, seed):
    seed.dag("nightly_flights", SMALL)
    assert "Did you mean &#39;nightly_flights&#39;?" in client.get("/dags/nightly_flight").text


def test_the_list_is_filtered_by_text_tag_and_state(client, seed):
    failing = seed.dag("failing", SMALL, tags=("red",))
    seed.run("failing", failing, STATES, state=RunState.FAILED)
    seed.run("failing", failing, {}, due=seed.now - timedelta(days=1))
    running = seed.dag("busy", SMALL, description="moves Boxes")
    seed.run("busy", running, {"a": "running"}, state=RunState.RUNNING)
    seed.dag("sleeping", SMALL, paused=True)
    seed.dag("broken", SMALL, error="SyntaxError: invalid syntax")

    def shown(query):
        page = client.get(f"/dags?{query}").text
        return {name for name in ("failing", "busy", "sleeping", "broken") if f'href="/dags/{name}"' in page}

    assert shown("") == {"failing", "busy", "sleeping", "broken"}
    assert shown("q=BOXES") == {"busy"}
    assert shown("q=%25") == set()
    assert shown("tag=red") == {"failing"}
    assert shown("show=failed") == {"failing"}
    assert shown("show=running") == {"busy"}
    assert shown("show=paused") == {"sleeping"}
    assert shown("show=active") == {"failing", "busy", "broken"}
    assert shown("show=error") == {"broken"}


def test_the_list_goes_on_where_the_page_ended(client, seed):
    for number in range(55):
        seed.dag(f"dag_{number:03}", SMALL)
    first = client.get("/dags").text
    assert 'href="/dags/dag_049"' in first and 'href="/dags/dag_050"' not in first
    second = client.get("/dags?after=dag_049").text
    assert 'href="/dags/dag_050"' in second and 'href="/dags/dag_049"' not in second
    assert ">55<" in first


def test_runs_go_on_where_the_page_ended_even_when_due_at_the_same_instant(client, seed):
    version = seed.dag("d", SMALL)
    for number in range(60):
        seed.run("d", version, {}, run_id=f"run-{number:03}", due=seed.now - timedelta(minutes=number // 30))
        # only one may have a logical date
        with seed.db.write() as tx:
            tx.execute(update(DagRun).values(logical_date=None))
    seen = []
    path = "/dags/d/runs"
    while path:
        page = client.get(path).text
        seen += [part.split('"')[0] for part in page.split('href="/dags/d/runs/run-')[1:]]
        more = page.split('rel="next" href="')
        path = more[1].split('"')[0].replace("&amp;", "&") if len(more) > 1 else ""
    assert sorted(seen) == [f"{number:03}" for number in range(60)]


def test_the_pages_cost_few_statements_however_many_runs_there_are(client, seed, database):
    version = seed.dag("d", ETL_TASKS, groups=ETL_GROUPS)
    for number in range(40):
        states = {task.task_id: "success" for task in ETL_TASKS}
        seed.run("d", version, states, run_id=f"r{number}", due=seed.now - timedelta(hours=number))
    statements = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for path, most in (("/dags", 7), ("/dags/d", 10), ("/dags/d/graph?run=r3", 11), ("/dags/d/runs", 7), ("/", 15)):
        client.get(path)
        statements.clear()
        client.get(path)
        real = [text for text in statements if text.lstrip().upper().startswith("SELECT")]
        assert len(real) <= most, (path, real)


def test_the_graph_shows_the_states_of_the_run_that_is_meant(client, seed):
    version = seed.dag("d", SMALL)
    seed.run("d", version, STATES, run_id="bad", state=RunState.FAILED, due=seed.now - timedelta(hours=1))
    seed.run("d", version, {"a": "running", "b": "none", "c": "none"}, run_id="new", state=RunState.RUNNING)

    bad, new = client.get("/dags/d/graph?run=bad").text, client.get("/dags/d/graph").text
    assert 's-failed" data-t="b"' in bad and 's-upstream_failed" data-t="c"' in bad
    assert 's-running" data-t="a"' in new
    assert 'href="/dags/d/runs/bad/tasks/b"' in bad


def test_a_closed_group_shows_the_state_that_asks_most_for_attention(client, seed):
    version = seed.dag("d", ETL_TASKS, groups=ETL_GROUPS)
    states = {"extract.flights": "success", "extract.planes": "failed", "extract.weather": "running"}
    seed.run("d", version, states, run_id="r", state=RunState.RUNNING)

    page = client.get("/dags/d/graph?run=r&open=,").text
    assert 's-failed" data-t="extract"' in page
    assert "1 of 3 done" in page


def test_the_grid_has_a_letter_for_each_run(client, seed):
    version = seed.dag("d", SMALL)
    seed.run("d", version, {"a": "success", "b": "success", "c": "skipped"}, due=seed.now - timedelta(hours=2))
    seed.run("d", version, STATES, state=RunState.FAILED, due=seed.now - timedelta(hours=1))

    page = client.get("/dags/d").text
    assert 'data-t="a">ss<' in page and 'data-t="b">sf<' in page and 'data-t="c">ku<' in page


def test_the_log_page_shows_the_log_and_names_the_first_error(client, seed):
    seed.run("d", seed.dag("d", SMALL), STATES, run_id="r", state=RunState.FAILED, errors={"b": "ValueError: 842"})
    seed.log("d", "r", "b", FAILED_LOG)

    page = client.get("/dags/d/runs/r/tasks/b").text
    assert 'data-error="46"' in page
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    assert "ValueError: 842" in page
    assert "46.3 MiB" in page and ">1</dd>" in page  # peak memory, exit code


def test_new_lines_of_a_log_are_sent_from_where_the_page_is(client, seed):
    seed.run("d", seed.dag("d", SMALL), {"a": "running"}, run_id="r", state=RunState.RUNNING)
    seed.log("d", "r", "a", "one\n")
    first = client.get("/dags/d/runs/r/tasks/a?_p=log&since=0").get_json()
    seed.log("d", "r", "a", "one\ntwo <b>\n")
    news = client.get(f"/dags/d/runs/r/tasks/a?_p=log&since={first['next']}").get_json()
    assert (news["first"], news["last"], news["next"]) == (2, 2, news["size"])
    assert "two &lt;b&gt;" in news["html"] and "one" not in news["html"]


def test_the_raw_log_cannot_act_in_the_browser(client, seed):
    seed.run("d", seed.dag("d", SMALL), STATES, run_id="r", state=RunState.FAILED)
    seed.log("d", "r", "b", "<script>alert(1)</script>\n")
    with client.get("/dags/d/runs/r/tasks/b?_p=raw") as answer:
        assert answer.text == "<script>alert(1)</script>\n"
        assert answer.mimetype == "text/plain"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert client.get("/dags/d/runs/r/tasks/b?_p=raw&try=9").status_code == 404


@pytest.mark.parametrize("run_id", ["manual__2026-11-22T19:00:00+00:00", "a b&c=d", "ünïcode", "50%25"])
def test_run_ids_with_special_characters_have_pages_and_logs(client, seed, run_id):
    seed.run("d", seed.dag("d", SMALL), STATES, run_id=run_id, state=RunState.FAILED)
    seed.log("d", run_id, "b", "[2026-01-01T00:00:00Z] INFO x - here it is\n")
    page = client.get("/dags/d/runs").text
    path = unescape(page.split('class="error" href="')[1].split('"')[0])
    assert path.endswith("/tasks/b")
    assert "here it is" in client.get(path).text


def test_nobody_reads_files_outside_of_the_log_folder(client, seed, tmp_path):
    seed.run("d", seed.dag("d", SMALL), STATES, run_id="r")
    (tmp_path / "attempt=1.log").write_text("the secret")
    for path in ("/dags/d/runs/r/tasks/..%2F..%2F..%2F..", "/dags/..%2F..%2Fd/runs/r/tasks/b", "/static/x/..%2Fapp.py"):
        answer = client.get(f"{path}?_p=raw")
        assert answer.status_code == 404 and "the secret" not in answer.text


def test_the_pause_switch_pauses_and_says_who_did_it(client, seed, database):
    seed.dag("d", SMALL, schedule="")
    csrf = csrf_of(client.get("/dags").text)
    answer = client.post("/dags/d/pause", data={"paused": "true", "csrf": csrf}, headers={"Accept": "application/json"})
    assert answer.get_json() == {"dag_id": "d", "is_paused": True, "said": "d is paused"}
    with database.read() as tx:
        rows = tx.execute(AuditEntry.__table__.select()).all()
    assert [(row.actor, row.via, row.action, row.dag_id) for row in rows] == [("admin", "ui", "dag.pause", "d")]


def test_a_run_is_triggered_by_one_click_when_there_are_no_params(client, seed, database):
    seed.dag("d", SMALL, schedule="")
    csrf = csrf_of(client.get("/dags/d").text)
    answer = client.post("/dags/d/trigger", data={"now": "1", "csrf": csrf})
    assert answer.status_code == 302 and "/dags/d/graph?run=" in answer.location
    with database.read() as tx:
        (run,) = tx.execute(DagRun.__table__.select()).all()
    assert (run.triggered_by, run.triggering_user, run.conf) == ("ui", "admin", "{}") or run.conf == {}
    assert "data-live" in client.get(answer.location).text


PARAMS = {
    "day": ParamSpec({"type": "string", "format": "date"}, "2013-01-01"),
    "rows": ParamSpec({"type": "integer", "minimum": 1}, 5),
    "names": ParamSpec({"type": "array", "items": {"type": "string"}}, ["a"]),
    "dry": ParamSpec({"type": "boolean"}, False),
    "mode": ParamSpec({"enum": ["full", "delta", 3, None]}, "full"),
    "extra": ParamSpec({"type": "object"}, {}),
}
DEFAULTS = {"p_day": "2013-01-01", "p_rows": "5", "p_names": "a", "p_mode": '"full"', "p_extra": "{}"}


def triggered(client, **changes):
    csrf = csrf_of(client.get("/dags/d").text)
    return client.post("/dags/d/trigger", data={**DEFAULTS, "csrf": csrf, **changes})


def test_the_fields_of_the_form_become_the_configuration(client, seed, database):
    seed.dag("d", SMALL, schedule="", params=PARAMS)
    answer = triggered(
        client, p_rows="7", p_names="x\r\n\r\ny z\r\n", p_dry="true", p_mode="3", run_id="mine", note="why not",
        date_kind="none",
    )  # fmt: skip
    assert answer.status_code == 302, answer.text
    run = client.get("/api/v2/dags/d/dagRuns/mine").get_json()
    assert run["conf"] == {"rows": 7, "names": ["x", "y z"], "dry": True, "mode": 3}
    assert (run["logical_date"], run["note"]) == (None, "why not")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"p_rows": "many"}, "is not a whole number"),
        ({"p_extra": "{oops"}, "This is no JSON"),
        ({"conf": "[1]"}, "must be a JSON object"),
        ({"conf": "{"}, "no JSON"),
        ({"date_kind": "at", "logical_date": "tomorrow"}, "no date and time"),
        ({"p_rows": "0"}, "minimum"),
        ({"p_day": "yesterday"}, "yesterday"),
        ({"conf": '{"run_id": 1, "rows": "x"}'}, "rows"),
    ],
)
def test_a_form_with_a_mistake_comes_back_filled_in_with_what_is_wrong(client, seed, changes, words):
    seed.dag("d", SMALL, schedule="", params=PARAMS)
    answer = triggered(client, note="keep me", **changes)
    assert answer.status_code == 400
    assert words in answer.text
    assert "keep me" in answer.text
    assert "No runs" in client.get("/dags/d/runs").text


def test_the_form_reads_times_in_the_zone_that_the_page_shows(client, seed):
    seed.dag("d", SMALL, schedule="", params=PARAMS)
    client.set_cookie("tz", "America/New_York")
    assert "America/New_York" in client.get("/dags/d/trigger").text
    answer = triggered(client, date_kind="at", logical_date="2026-07-01T08:00", run_id="r")
    assert answer.status_code == 302
    assert client.get("/api/v2/dags/d/dagRuns/r").get_json()["logical_date"] == "2026-07-01T12:00:00Z"


def test_times_are_shown_in_the_zone_of_the_cookie_and_a_bad_one_is_ignored(client, seed):
    version = seed.dag("d", SMALL)
    seed.run("d", version, {}, run_id="r", due=seed.now.replace(month=7, day=1, hour=10, minute=0, second=0))
    client.set_cookie("tz", "Europe/Berlin")
    assert "12:00:00 CEST" in client.get("/dags/d/runs/r").text
    client.set_cookie("tz", "../../etc/passwd")
    assert "10:00:00 UTC" in client.get("/dags/d/runs/r").text


def test_a_page_that_did_not_change_is_not_sent_again(client, seed):
    seed.dag("d", SMALL)
    first = client.get("/import_errors")
    again = client.get("/import_errors", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.data == b""


def test_large_pages_are_sent_compressed(client, seed):
    seed.dag("d", SMALL)
    answer = client.get("/dags", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) < 6000


def test_health_needs_no_login_and_tells_whether_a_scheduler_is_up(app, seed):
    client = app.test_client()
    assert client.get("/health").get_json()["scheduler"]["status"] == "unhealthy"
    seed.scheduler()
    assert client.get("/api/v2/monitor/health").get_json()["scheduler"]["status"] == "healthy"


def test_markdown_of_users_cannot_act(client, seed):
    evil = "hi <script>alert(1)</script> [x](javascript:alert(1)) ![y](http://evil.example/x.png) **bold**"
    seed.dag("d", SMALL, doc_md=evil)
    page = client.get("/dags/d").text
    assert "<strong>bold</strong>" in page
    assert "<script>alert" not in page and 'href="javascript' not in page


def test_hostile_names_are_text_everywhere(client, seed):
    evil = "<script>alert(1)</script>"
    version = seed.dag("d", (TaskSpec("a", evil, display_name=evil),), description=evil, tags=(evil,))
    seed.run("d", version, {"a": "failed"}, run_id="r", state=RunState.FAILED, errors={"a": evil}, conf={"x": evil})
    for path in ("/", "/dags", "/dags/d", "/dags/d/graph", "/dags/d/runs", "/dags/d/runs/r",
                 "/dags/d/runs/r?view=details",
                 "/dags/d/runs/r/tasks/a", f"/dags?q={evil}&tag={evil}"):  # fmt: skip
        assert evil not in client.get(path).text, path


def test_topics_are_read_strictly():
    assert {str(topic) for topic in parse_topics("all,run:d/r%2F1,log:d/r/t/-1/2")} == {
        "all", "run:d/r%2F1", "log:d/r/t/-1/2",
    }  # fmt: skip
    for bad in ("nothing", "run:d", "log:a/b/c/x/1", "dag:"):
        with pytest.raises(Exception, match="is no topic"):
            parse_topics(bad)


def test_files_are_named_in_their_folder_and_examples_told_apart(client, seed):
    seed.dag("shown", SMALL, path=f"{EXAMPLES}/sub/shown.py", error="SyntaxError: no")
    seed.dag("own", SMALL, path="team/own.py")
    for path in ("/dags/shown", "/dags/shown/code", "/import_errors"):
        page = client.get(path).text
        name = f'<span title="{EXAMPLES}/sub/shown.py">sub/shown.py</span> <span class="tag" title="Comes with'
        assert name in page, path
        assert page.count(str(EXAMPLES)) == page.count(f'title="{EXAMPLES}/sub/shown.py"'), path
    own = client.get("/dags/own").text
    assert ">team/own.py</span></nav>" in own and "Comes with Tradewind" not in own
