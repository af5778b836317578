"""Questions of tasks: on the page, through the REST API, who may answer, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest

from tests.webui.asking import FIELDS, ask, ask_again, audited, defer, told
from tests.webui.conftest import PASSWORD, csrf_of

PAGE = "/required_actions"
DETAIL = [
    "assigned_users", "body", "chosen_options", "created_at", "defaults", "multiple", "options", "params",
    "params_input", "responded_at", "responded_by_user", "response_received", "subject", "task_instance",
]  # fmt: skip
API = "/dags/d/dagRuns/r/taskInstances/ask/-1/hitlDetails"


@pytest.fixture
def api(app):
    """``api("op", "PATCH", path, json=...)``: as a client of that role."""
    client = app.test_client()

    def call(role, method, path, **kwargs):
        sent = client.post("/auth/token", json={"username": role, "password": PASSWORD})
        token = {"Authorization": f"Bearer {sent.get_json()['access_token']}"}
        answer = client.open(f"/api/v2{path}", method=method, headers=token, **kwargs)
        return answer.status_code, answer.get_json()

    return call


def post(client, question, **data):
    return client.post(f"{PAGE}/{question}", data={"csrf": csrf_of(client.get(PAGE).text), **data})


def test_a_question_is_answered_by_one_click(seed, log_in):
    question = ask(seed, params=FIELDS)
    client = log_in("op")
    page = client.get(PAGE).text
    assert "Load the day?" in page and "<strong>842</strong>" in page
    assert 'value="Approve"' in page and 'value="Reject"' in page
    assert 'Required actions <span class="tag">1</span>' in client.get("/").text

    answer = post(client, question, option="Approve", p_reason="looks good", p_rows="7")
    assert answer.status_code == 302
    (payload,) = told(seed)
    assert payload["chosen_options"] == ["Approve"]
    assert payload["params_input"] == {"reason": "looks good", "rows": 7}
    assert payload["responded_by_user"] == {"id": "op", "name": "op"}
    assert payload["responded_at"].tzinfo is not None
    assert audited(seed) == [("op", "ui", "ask")]
    page = client.get(PAGE).text
    assert "Nothing waits for an answer" in page and "Answered “Load the day?”: Approve." in page
    assert "by op" in client.get(f"{PAGE}?show=answered").text


def test_a_form_that_does_not_fit_says_so_and_keeps_what_was_typed(seed, log_in):
    question = ask(seed, params=FIELDS)
    client = log_in("op")
    for data, words in (
        ({"option": "Approve", "p_reason": "x" * 21, "p_rows": "5"}, "The field 'reason'"),
        ({"option": "Approve", "p_reason": "fine", "p_rows": "many"}, "'many' is not a whole number"),
        ({"option": "Maybe", "p_reason": "fine", "p_rows": "5"}, "'Maybe' is none of the options"),
        ({"p_reason": "fine", "p_rows": "5"}, "An answer needs an option"),
        ({"option": ["Approve", "Reject"], "p_reason": "fine", "p_rows": "5"}, "Only one option may be chosen"),
    ):
        answer = post(client, question, **data)
        assert answer.status_code == 400
        assert words in unescape(answer.text)
        assert data["p_reason"] in answer.text
    assert told(seed) == []


def test_who_may_answer(seed, log_in):
    everybody = ask(seed, "free")
    assigned = ask(seed, "assigned", assignees=("viewer",))
    assert post(log_in("user"), everybody, option="Approve").status_code == 403
    assert "This needs the role op" in log_in("user").get(PAGE).text
    assert post(log_in("op"), assigned, option="Approve").status_code == 403
    assert "Only viewer may answer" in log_in("op").get(PAGE).text
    assert told(seed) == []

    assert post(log_in("viewer"), assigned, option="Reject").status_code == 302
    assert post(log_in("admin"), everybody, option="Approve").status_code == 302
    assert len(told(seed)) == 2


def test_answered_twice_is_a_conflict(seed, log_in, api):
    question = ask(seed)
    assert post(log_in("op"), question, option="Approve").status_code == 302
    again = post(log_in("admin"), question, option="Reject")
    assert again.status_code == 409
    assert "has already been answered by op: Approve" in unescape(again.text)
    status, body = api("op", "PATCH", API, json={"chosen_options": ["Reject"]})
    assert status == 409 and "already been answered" in body["detail"]
    assert len(told(seed)) == 1


@pytest.mark.parametrize("defaults", [None, ("Reject",)])
def test_after_its_time_a_question_is_closed(seed, log_in, api, defaults):
    question = ask(seed, timeout=timedelta(minutes=5), asked_at=seed.now - timedelta(minutes=6), defaults=defaults)
    late = post(log_in("op"), question, option="Approve")
    assert late.status_code == 409 and "its time was over" in unescape(late.text)
    assert ("Its defaults were taken: Reject" in late.text) == (defaults is not None)
    assert api("op", "PATCH", API, json={"chosen_options": ["Approve"]})[0] == 409
    assert told(seed) == []


def test_a_question_that_nobody_waits_for_is_withdrawn(seed, database, log_in):
    from tradewind.metadata.waits import drop_waits

    question = ask(seed)
    with database.write() as tx:
        drop_waits(tx, [question])
    gone = post(log_in("op"), question, option="Approve")
    assert gone.status_code == 409 and "does not wait any more" in gone.text


def test_a_link_brings_an_answer(seed, log_in):
    ask(seed, options=("a", "b", "c"), multiple=True, params=FIELDS)
    page = log_in("op").get("/dags/d/runs/r/tasks/ask/required_actions?_options=b&reason=because&map_index=-1").text
    assert 'value="b" checked' in page and 'value="a" checked' not in page
    assert 'value="because"' in page
    assert log_in("op").get("/dags/d/runs/r/tasks/none/required_actions").status_code == 404


def test_a_form_of_another_site_answers_nothing(seed, log_in):
    question = ask(seed)
    answer = log_in("op").post(f"{PAGE}/{question}", data={"csrf": "0" * 64, "option": "Approve"})
    assert answer.status_code == 403
    assert told(seed) == []


def test_the_rest_api_has_airflows_shape(seed, api):
    ask(seed, defaults=("Reject",), params=FIELDS, assignees=("op",), timeout=timedelta(hours=1))
    status, body = api("viewer", "GET", API)
    assert status == 200
    assert sorted(body) == DETAIL
    assert body["assigned_users"] == [{"id": "op", "name": "op"}]
    assert body["params"] == FIELDS
    assert body["task_instance"]["task_id"] == "ask"
    assert (body["response_received"], body["chosen_options"], body["params_input"]) == (False, None, {})

    status, body = api("op", "PATCH", API, json={"chosen_options": ["Approve"], "params_input": {"rows": 6}})
    assert status == 200
    assert body["responded_by"] == {"id": "op", "name": "op"}
    assert body["params_input"] == {"reason": "", "rows": 6}
    status, body = api("viewer", "GET", API)
    assert (body["response_received"], body["chosen_options"]) == (True, ["Approve"])
    assert body["responded_by_user"] == {"id": "op", "name": "op"}
    assert audited(seed) == [("op", "rest_api", "ask")]


def test_the_rest_api_refuses_what_does_not_fit(seed, api):
    ask(seed)
    for sent, status, words in (
        ({"chosen_options": ["Maybe"]}, 400, "none of the options"),
        ({"chosen_options": ["Approve", "Reject"]}, 400, "Only one option"),
        ({"chosen_options": []}, 422, "at least one"),
        ({"chosen_options": ["Approve"], "params_input": {"x": 1}}, 400, "no field 'x'"),
        ({"chosen": ["Approve"]}, 422, "unknown field"),
    ):
        got, body = api("op", "PATCH", API, json=sent)
        assert (got, words in body["detail"]) == (status, True), body
    assert api("user", "PATCH", API, json={"chosen_options": ["Approve"]})[0] == 403
    assert api("op", "GET", API.replace("/ask/", "/none/"))[0] == 404
    assert told(seed) == []


def test_lists_are_filtered_and_paged(seed, api):
    ask(seed, "a_dag")
    ask(seed, "b_dag", options=("x",))
    newest = "/dags/~/dagRuns/~/hitlDetails"

    def found(query=""):
        status, body = api("viewer", "GET", f"{newest}?{query}")
        assert status == 200, body
        return [one["task_instance"]["dag_id"] for one in body["hitl_details"]], body["total_entries"]

    assert found() == (["a_dag", "b_dag"], 2)
    assert found("order_by=-dag_id&limit=1") == (["b_dag"], 2)
    assert found("dag_id_pattern=b_") == (["b_dag"], 1)
    assert found("subject_search=the%20DAY") == (["a_dag", "b_dag"], 2)
    assert found("subject_search=100%25") == ([], 0)
    assert found("response_received=true") == ([], 0)
    answered = api(
        "op", "PATCH", "/dags/b_dag/dagRuns/r/taskInstances/ask/-1/hitlDetails", json={"chosen_options": ["x"]}
    )
    assert answered[0] == 200
    assert found("response_received=true&responded_by_user_name=op") == (["b_dag"], 1)
    assert found("responded_by_user_name=viewer") == ([], 0)
    assert api("viewer", "GET", "/dags/a_dag/dagRuns/r/hitlDetails")[1]["total_entries"] == 1
    assert api("viewer", "GET", "/dags/none/dagRuns/~/hitlDetails")[0] == 404
    assert api("viewer", "GET", f"{newest}?order_by=colour")[0] == 422


def test_each_try_has_its_question(seed, api):
    ask(seed)
    ask_again(seed)
    assert api("viewer", "GET", API)[1]["subject"] == "Load it now?"
    assert api("viewer", "GET", f"{API}/tries/1")[1]["subject"] == "Load the day?"
    assert api("viewer", "GET", f"{API}/tries/3")[0] == 404


def test_a_task_that_waits_for_a_trigger_says_for_which(seed, api):
    defer(seed, "watchers.Echo", value=1)
    status, task = api("viewer", "GET", "/dags/d/dagRuns/r/taskInstances/wait")
    assert status == 200
    assert (task["state"], task["trigger"]["classpath"]) == ("deferred", "watchers.Echo")
    assert task["trigger"]["kwargs"] == '{"value":1}'
    assert api("viewer", "GET", "/monitor/health")[1]["triggerer"]["status"] is None


def test_the_page_of_a_task_that_asks_leads_to_its_question(seed, log_in):
    ask(seed)
    page = log_in("viewer").get("/dags/d/runs/r/tasks/ask").text
    assert "/dags/d/runs/r/tasks/ask/required_actions" in page
