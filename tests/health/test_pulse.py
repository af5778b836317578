"""Does what a process says of its health follow from what its loops did?"""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request

import pytest

from tradewind.config import load_config
from tradewind.errors import UsageError
from tradewind.health.pulse import Limits, Pulse
from tradewind.health.server import told_to_probes

ANY_PORT = ("127.0.0.1", 0)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pulse(clock):
    return Pulse("scheduler", Limits(90, 30), {"version": "1"}, clock=clock)


def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_process_that_has_just_started_is_alive_and_not_ready(pulse):
    assert (pulse.report().is_alive, pulse.report().is_ready) == (True, False)
    pulse.part("loop").turned()
    report = pulse.report()
    assert (report.is_alive, report.is_ready) == (True, False)
    assert report.as_dict()["parts"] == {"loop": "has not asked for work yet"}


def test_one_that_asked_for_work_within_its_lease_is_ready(pulse, clock):
    pulse.part("loop").worked()
    clock.now += 30
    assert pulse.report().is_ready
    clock.now += 1
    pulse.part("loop").turned()
    report = pulse.report()
    assert (report.is_alive, report.is_ready) == (True, False)
    assert report.as_dict()["parts"]["loop"] == "took work or asked for it 31.0 s ago (at most 30 s)"


def test_a_database_that_is_away_makes_it_unready_and_leaves_it_alive(pulse, clock):
    part = pulse.part("loop")
    part.worked()
    for _ in range(50):
        clock.now += 10
        part.failed("metadata DB: connection refused")
    report = pulse.report()
    assert (report.is_alive, report.is_ready) == (True, False)
    assert report.as_dict()["parts"]["loop"].endswith("(at most 30 s): metadata DB: connection refused")
    part.worked()
    assert pulse.report().is_ready


def test_a_loop_that_hangs_is_not_alive(pulse, clock):
    pulse.part("loop").worked()
    pulse.part("triggerer").worked()
    clock.now += 91
    pulse.part("triggerer").worked()
    report = pulse.report()
    assert (report.is_alive, report.is_ready) == (False, False)
    assert report.as_dict()["parts"]["loop"] == "hangs: its last turn was 91.0 s ago, at most 90 s"


def test_one_that_is_about_to_stop_is_alive_and_not_ready(pulse):
    pulse.part("loop").worked()
    pulse.stops()
    report = pulse.report()
    assert (report.is_alive, report.is_ready) == (True, False)
    assert report.as_dict()["stopping"] == "it was told to stop"


def test_probes_are_answered_in_words(pulse, clock):
    pulse.part("loop").worked()
    with told_to_probes(pulse, ANY_PORT) as url:
        status, body = ask(f"{url}/readyz")
        assert (status, body["ready"], body["version"], body["kind"]) == (200, True, "1", "scheduler")
        clock.now += 31
        assert ask(f"{url}/readyz")[0] == 503
        assert ask(f"{url}/healthz?verbose")[0] == 200
        clock.now += 60
        assert ask(f"{url}/healthz")[0] == 503
        assert ask(f"{url}/metrics") == (404, {"error": "There is no /metrics here; ask /healthz or /readyz."})
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/healthz", timeout=10)


def test_a_client_that_says_nothing_keeps_nobody_else_from_an_answer(pulse):
    pulse.part("loop").worked()
    with told_to_probes(pulse, ANY_PORT) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))):
            assert ask(f"{url}/readyz")[0] == 200


def test_a_port_that_is_taken_is_said_with_the_mend(pulse):
    with socket.socket() as other:
        other.bind(ANY_PORT)
        other.listen()
        with pytest.raises(UsageError, match=r"scheduler cannot be served at 127.0.0.1.*TRADEWIND__HEALTH__LISTEN"):
            with told_to_probes(pulse, other.getsockname()):
                pass


def test_without_an_address_nobody_is_answered(pulse):
    with told_to_probes(pulse, None) as url:
        assert url == ""


def test_a_turn_may_take_a_statement_longer_than_a_lease(tmp_path):
    environ = {"TRADEWIND__SCHEDULER__LEASE_SECONDS": "12", "TRADEWIND__DATABASE__STATEMENT_TIMEOUT_SECONDS": "40"}
    assert Limits.of(load_config(environ, tmp_path)) == Limits(52, 12)
