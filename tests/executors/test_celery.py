"""Does a worker hear its broker, do without it, and end in order? With real workers, and a Redis to kill."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from click.testing import CliRunner
from kombu.exceptions import OperationalError

from executors.celery.app import broker_queue, make_app
from executors.celery.autoscale import Bounds, Load, next_slots, parse_autoscale
from executors.celery.executor import CeleryExecutor
from executors.conformance import Bench, Installation
from executors.conformance.contract import TASK_IDS, TASKS
from tests.executors.installed import a_celery_worker
from tests.executors.worker.test_https import write_certificate
from tests.support import redis_server
from tests.support.waiting import wait_until
from tradewind.cli import main
from tradewind.config import load_config
from tradewind.errors import UsageError
from tradewind.model.orders import AttemptOrder, Outcome

WAITS = """
    @task
    def waits():
        go = pathlib.Path(FOLDER, "go")
        while not go.exists():
            time.sleep(0.02)

    waits()
"""


NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)
AN_ORDER = AttemptOrder(uuid4(), 0, 1, "d", "r", "t", -1, 1, 1, "d.py", 1, "0" * 64, "manual", NOW)


class Broker:
    """A Redis of one's own, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._server, url = redis_server.start(folder)
        self.url = f"{url}/0"
        self.client = redis.Redis.from_url(self.url)
        self._wait()

    def kill(self) -> None:
        self._server.kill()
        self._server.wait()

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._server = subprocess.Popen(self._server.args, stdout=quiet, stderr=quiet, start_new_session=True)
        self._wait()

    def waiting(self, queue: str = "default") -> int:
        return int(self.client.llen(queue))

    def _wait(self) -> None:
        def answers() -> bool:
            try:
                return bool(self.client.ping())
            except redis.ConnectionError:
                return False

        wait_until(answers, what="redis")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.client.close()
    made.kill()


@pytest.fixture
def installation(tmp_path: Path, broker: Broker, sqlite_url: str) -> Iterator[Installation]:
    settings = {"CELERY__BROKER_URL": broker.url}
    with Installation(tmp_path / "home", "CeleryExecutor", settings, sqlite_url) as made:
        yield made


@pytest.fixture
def bench(installation: Installation) -> Iterator[Bench]:
    with installation.bench() as made:
        made.write_dag((TASKS + WAITS).replace("FOLDER", repr(str(made.folder))), [*TASK_IDS, "waits"])
        yield made


@pytest.fixture
def tell(installation: Installation) -> Callable[..., tuple[int, str]]:
    """``tell("drain", "-H", "w1")``: what a command about workers says, behind its exit code."""

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner(env=installation.environ).invoke(main, ["celery", *words])
        return done.exit_code, done.output

    return run


def fill(bench: Bench, slots: int) -> list[AttemptOrder]:
    """Have tasks run until the file ``go`` is there, in all slots of the worker."""
    orders = [bench.order("waits") for _ in range(slots)]
    bench.submit(*orders)
    for order in orders:
        bench.start_of(order)
    return orders


def go(bench: Bench) -> None:
    (bench.folder / "go").touch()


def test_a_worker_leaves_to_others_what_it_has_no_slot_for_and_outlives_its_broker(installation, bench, broker):
    with a_celery_worker(installation, None, "-c", "2") as worker:
        # Full: messages stay with the broker.
        running = fill(bench, 2)
        more = [bench.order("good") for _ in range(4)]
        bench.submit(*more)
        wait_until(lambda: broker.waiting() == 4, what="four messages that nobody takes")
        go(bench)
        assert {bench.end_of(order).outcome for order in [*running, *more]} == {Outcome.SUCCESS}
        wait_until(lambda: broker.waiting() == 0, what="the messages to be taken once there is room")

        # The broker forgets everything, then is away: the worker finds its work by itself.
        broker.client.flushall()
        assert bench.run("good").outcome == Outcome.SUCCESS
        broker.kill()
        began = time.monotonic()
        bench.submit(order := bench.order("good"))
        assert time.monotonic() - began < 1
        assert bench.end_of(order).outcome == Outcome.SUCCESS

        # It is back: messages are heard again, and one that makes no sense costs nothing.
        broker.start()
        app = make_app(installation.config)
        app.send_task("tradewind.attempt", ("no id",), queue="default")
        app.close()
        wait_until(lambda: broker.waiting() == 0, 20, what="the message to be heard")
        assert bench.run("good").outcome == Outcome.SUCCESS
        assert worker.poll() is None
    assert "names no attempt and is dropped: 'no id'" in (installation.home / "worker.log").read_text()


def test_a_worker_is_drained_resumed_and_sent_away_by_its_name(installation, bench, tell):
    with a_celery_worker(installation, None, "-H", "first", "-q", "default,heavy", stop_seconds=30) as worker:
        (running,) = fill(bench, 1)

        assert tell("drain", "-H", "first")[0] == 0
        left = bench.order("good")
        bench.submit(left)
        assert "draining" in tell("list-workers", "-o", "json")[1]
        assert bench.facts_of(left) == []
        assert tell("resume", "-H", "first")[0] == 0
        assert bench.end_of(left).outcome == Outcome.SUCCESS

        code, said = tell("drain", "-H", "second")
        assert code == 1
        assert "'celery@second' does not exist" in said
        assert "Those that hear it: celery@first" in said

        assert tell("shutdown-worker", "-H", "first")[0] == 0
        go(bench)  # what runs may end
        assert bench.end_of(running).outcome == Outcome.SUCCESS
        assert worker.wait(20) == 0
        assert tell("list-workers", "-o", "json")[1].strip() == "[]"


def test_a_worker_that_is_stopped_hands_back_what_runs_at_the_deadline(installation, bench, tell):
    with a_celery_worker(installation, None, stop_seconds=0.2) as worker:
        running = bench.order("sleeps")
        bench.submit(running)
        bench.start_of(running)

        second = subprocess.run(
            [sys.executable, "-m", "tradewind.cli", "celery", "worker"],
            env=installation.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert f"runs already (process {worker.pid})" in second.stderr
        assert "--celery-hostname second@%h" in second.stderr

        assert tell("stop")[0] == 0
        assert worker.wait(20) == 0
        assert [ended.outcome for ended in bench.ends_of(running)] == [Outcome.RETURNED]
        code, said = tell("stop")
        assert (code, "No worker of this home runs on this machine" in said) == (1, True)


def test_a_second_signal_ends_a_worker_at_once(installation, bench):
    with a_celery_worker(installation, None, stop_seconds=600) as worker:
        running = bench.order("sleeps")
        bench.submit(running)
        bench.start_of(running)

        worker.send_signal(signal.SIGINT)
        log = installation.home / "worker.log"
        wait_until(lambda: "a second signal does it now" in log.read_text(), what="that it ends")
        worker.send_signal(signal.SIGINT)

        assert worker.wait(20) == 0
        assert [ended.outcome for ended in bench.ends_of(running)] == [Outcome.RETURNED]


def test_a_token_is_one_that_web_servers_take_and_flower_says_what_it_needs(installation, tell):
    code, token = tell("token")

    assert code == 0
    config = load_config({"TRADEWIND__WORKERS__TOKEN": token.strip()}, installation.home)
    assert config.workers.token == (token.strip(),)
    assert tell("token")[1] != token
    if find_spec("flower") is None:  # it would take the place of this process
        assert tell("flower") == (
            2,
            "Error: Flower is not installed. Install it where it shall run: pip install flower.\n",
        )


def test_submit_and_cancel_neither_wait_nor_fail_without_a_broker(tmp_path):
    config = load_config({"TRADEWIND__CELERY__BROKER_URL": "redis://127.0.0.1:1/0"}, tmp_path)
    executor = CeleryExecutor(config)
    executor.start(lambda _facts: None)

    began = time.monotonic()
    for _ in range(1000):
        executor.submit([AN_ORDER] * 50)
        executor.cancel([AN_ORDER.attempt_id])
    executor.stop(5)
    executor.stop(5)

    assert time.monotonic() - began < 5


def test_executors_that_share_a_broker_have_queues_of_their_own():
    assert broker_queue("CeleryExecutor", "heavy") == "heavy"
    assert broker_queue("far", "heavy") == "far.heavy"


def test_an_environment_variable_of_celery_leads_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://elsewhere/0")

    app = make_app(load_config({"TRADEWIND__CELERY__BROKER_URL": "redis://here/0"}, tmp_path))

    assert (app.connection_for_read().hostname, app.connection_for_write().hostname) == ("here", "here")
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_acks_late is False


@pytest.mark.parametrize("scheme", ["rediss", "amqps"])
def test_a_broker_that_cannot_prove_itself_is_told_nothing(tmp_path, scheme):
    cert, key = write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    with context.wrap_socket(server.accept()[0], server_side=True) as client:
                        heard.append(client.recv(100))
                except ssl.SSLError:
                    continue  # the client hangs up: it does not trust us
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()

        def knock(query: str) -> str:
            url = f"{scheme}://somebody:secret@127.0.0.1:{server.getsockname()[1]}//{query}"
            app = make_app(load_config({"TRADEWIND__CELERY__BROKER_URL": url}, tmp_path))
            with app.connection_for_write() as connection, pytest.raises(OperationalError) as error:
                connection.ensure_connection(max_retries=1, interval_start=0)
            return str(error.value)

        assert "certificate verify failed" in knock("")
        assert heard == []
        assert "certificate" not in knock(f"?ssl_ca_certs={cert}")
        assert "certificate" not in knock("?ssl_cert_reqs=none")
        assert len(heard) >= 2
        server.shutdown(socket.SHUT_RDWR)


def test_a_wrong_wish_about_certificates_says_what_is_expected(tmp_path):
    with pytest.raises(UsageError, match="says ssl_cert_reqs=maybe; expected required, or none"):
        make_app(load_config({"TRADEWIND__CELERY__BROKER_URL": "rediss://h/0?ssl_cert_reqs=maybe"}, tmp_path))


@pytest.mark.parametrize(
    ("load", "slots"),
    [
        (Load(4, 4, cpu_percent=30, memory_available_percent=50), 5),
        (Load(16, 16, cpu_percent=30, memory_available_percent=50), 20),
        (Load(30, 30, cpu_percent=30, memory_available_percent=50), 32),  # no more than the most
        (Load(4, 4, cpu_percent=85, memory_available_percent=50), 4),  # the machine is busy
        (Load(4, 4, cpu_percent=30, memory_available_percent=5), 4),  # or has no memory left
        (Load(4, 3, cpu_percent=30, memory_available_percent=50), 4),  # there is room
        (Load(8, 8, cpu_percent=99, memory_available_percent=50), 7),
        (Load(8, 1, cpu_percent=5, memory_available_percent=50, idle_looks=15), 6),
        (Load(2, 0, cpu_percent=5, memory_available_percent=50, idle_looks=15), 2),  # no less than the least
    ],
)
def test_slots_follow_the_load(load, slots):
    assert next_slots(load, Bounds(2, 32)) == slots


def test_autoscale_is_written_as_airflow_does():
    assert parse_autoscale("16,4") == Bounds(4, 16)


@pytest.mark.parametrize("text", ["16", "4,16", "16,0", "a,b", "16;4"])
def test_a_wrong_autoscale_says_what_is_expected(text):
    with pytest.raises(UsageError, match=r"autoscale is '.*'; expected MAX,MIN"):
        parse_autoscale(text)
