"""Do tasks run containers as they are told? Against a daemon that speaks Docker's API and runs plain commands.

No Docker is needed: the peer on the other side of the socket is small, and what it runs are real processes.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.authoring.support import Rehearsal, load, only
from tests.support.waiting import wait_until
from tradewind.model.orders import Outcome
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowException, DagArgumentError
from tradewind.sdk.hooks.docker import DockerHook
from tradewind.sdk.operators.docker import DockerOperator, words


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """What the daemon knows: images, and containers with their settings and processes."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        self.images = {"small"}
        self.pulls: list[tuple[str, str | None]] = []
        self.containers: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.removed: list[str] = []
        self.sees_folders = True
        super().__init__(path, Api)


class Api(BaseHTTPRequestHandler):
    """The calls that are made."""

    protocol_version = "HTTP/1.1"
    server: Daemon

    def _answer(self) -> None:
        path = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(path.query).items()}
        self.body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        assert path.path.startswith("/v1.41/")
        place = path.path.removeprefix("/v1.41")
        for pattern, method in CALLS:
            found = re.fullmatch(pattern, f"{self.command} {place}")
            if found:
                method(self, *found.groups())
                return
        self._say(404, {"message": f"no such call: {self.command} {place}"})

    do_GET = do_POST = do_DELETE = _answer

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_args: Any) -> None:
        """Be quiet."""

    def _say(self, status: int, what: Any = None) -> None:
        body = b"" if what is None else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ping(self) -> None:
        self._say(200, "OK")

    def image(self, name: str) -> None:
        known = name in self.server.images
        self._say(200 if known else 404, {} if known else {"message": "no such image"})

    def pull(self) -> None:
        name = self.query["fromImage"]
        self.server.pulls.append((f"{name}:{self.query.get('tag')}", self.headers.get("X-Registry-Auth")))
        if name == "missing":
            self._chunks([json.dumps({"error": "manifest unknown"}).encode() + b"\n"])
            return
        self.server.images.add(name)
        self._chunks([json.dumps({"status": f"Pulled {name}"}).encode() + b"\n"])

    def create(self) -> None:
        mounts = self.body["HostConfig"].get("Mounts") or []
        if mounts and not self.server.sees_folders:
            self._say(400, {"message": f"invalid mount config: bind source path does not exist: {mounts[0]['Source']}"})
            return
        identity = f"c{len(self.server.containers) + 1}"
        self.server.containers[identity] = {**self.body, "name": self.query.get("name")}
        self._say(201, {"Id": identity, "Warnings": ["be careful"]})

    def start(self, identity: str) -> None:
        settings = self.server.containers[identity]
        variables = dict(one.partition("=")[::2] for one in settings["Env"])
        self.server.processes[identity] = subprocess.Popen(
            [*(settings.get("Entrypoint") or []), *(settings.get("Cmd") or [])],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._say(204)

    def logs(self, identity: str) -> None:
        output = self.server.processes[identity].stdout
        assert output is not None
        is_tty = self.server.containers[identity].get("Tty")
        pieces = iter(lambda: os.read(output.fileno(), 100), b"")
        self._chunks(piece if is_tty else b"\1\0\0\0" + len(piece).to_bytes(4) + piece for piece in pieces)

    def wait(self, identity: str) -> None:
        code = self.server.processes[identity].wait()
        self._say(200, {"StatusCode": 128 - code if code < 0 else code})

    def stop(self, identity: str) -> None:
        process = self.server.processes[identity]
        process.send_signal(signal.SIGTERM)
        process.wait()
        self._say(204)

    def remove(self, identity: str) -> None:
        self.server.removed.append(f"{identity}{' by force' if self.query['force'] == '1' else ''}")
        self._say(204)

    def archive(self, _identity: str) -> None:
        path = Path(self.query["path"])
        if not path.exists():
            self._say(404, {"message": "no such file"})
            return
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as files:
            files.add(path, path.name)
        body = packed.getvalue()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-tar")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _chunks(self, pieces: Any) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


CALLS = (
    (r"GET /_ping", Api.ping),
    (r"GET /images/(.+)/json", Api.image),
    (r"POST /images/create", Api.pull),
    (r"POST /containers/create", Api.create),
    (r"POST /containers/(\w+)/start", Api.start),
    (r"GET /containers/(\w+)/logs", Api.logs),
    (r"POST /containers/(\w+)/wait", Api.wait),
    (r"POST /containers/(\w+)/stop", Api.stop),
    (r"DELETE /containers/(\w+)", Api.remove),
    (r"GET /containers/(\w+)/archive", Api.archive),
)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon at the address that ``DOCKER_HOST`` names."""
    with Daemon(str(tmp_path / "docker.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        yield server
        server.shutdown()
        thread.join()
        for process in server.processes.values():
            process.kill()
            process.communicate()


def run(**settings: Any) -> tuple[Any, Any]:
    dag = DAG("boxes")
    DockerOperator(task_id="t", dag=dag, **{"image": "small", **settings})
    rehearsal = Rehearsal(dag)
    result = rehearsal.attempt("t")
    return result, rehearsal.xcoms("t").get("return_value")


def test_a_container_runs_and_its_last_line_is_the_output(daemon, caplog):
    caplog.set_level("INFO")

    result, output = run(
        command="sh -c 'echo one; echo $DAY $SECRET >&2; echo \"zwei ü\"'",
        environment={"DAY": "{{ ds }}"},
        private_environment={"SECRET": "s"},
        env_file="# a comment\nDAY=never\nMORE=1\n",
        container_name="box-{{ ds_nodash }}",
        mem_limit="512m",
        labels={"team": "blue"},
        extra_hosts={"db": "10.0.0.1"},
    )

    assert result.error is None
    assert output == "zwei ü"
    assert [line for line in caplog.messages if line in ("one", "2024-03-05 s", "be careful")] == [
        "be careful", "one", "2024-03-05 s",
    ]  # fmt: skip
    (settings,) = daemon.containers.values()
    assert settings["name"] == "box-20240305"
    assert sorted(settings["Env"])[1:] == ["DAY=2024-03-05", "MORE=1", "SECRET=s"]
    assert settings["HostConfig"]["Memory"] == 512 * 1024**2
    assert settings["HostConfig"]["ExtraHosts"] == ["db:10.0.0.1"]
    assert settings["Labels"] == {"team": "blue"}
    assert daemon.removed == []


@pytest.mark.parametrize("tty", [False, True])
def test_all_lines_may_be_the_output_however_they_are_cut(daemon, tty):
    _, output = run(command=["seq", "1", "200"], xcom_all=True, tty=tty)

    assert output == [str(n) for n in range(1, 201)]


@pytest.mark.parametrize(
    ("settings", "outcome", "removed"),
    [
        ({"auto_remove": "never"}, Outcome.SUCCESS, []),
        ({"auto_remove": "success"}, Outcome.SUCCESS, ["c1"]),
        ({"auto_remove": "force"}, Outcome.SUCCESS, ["c1 by force"]),
        ({"auto_remove": "success", "command": "sh -c 'exit 3'"}, Outcome.FAILED, []),
        ({"auto_remove": "force", "command": "sh -c 'exit 3'"}, Outcome.FAILED, ["c1 by force"]),
        ({"skip_on_exit_code": [3, 4], "command": "sh -c 'exit 3'"}, Outcome.SKIPPED, []),
    ],
)
def test_the_end_of_the_container_is_that_of_the_task(daemon, settings, outcome, removed):
    result, _ = run(**{"command": "true", **settings})

    assert result.outcome is outcome
    assert daemon.removed == removed
    if outcome is Outcome.FAILED:
        assert "ended with exit code 3" in result.error


def test_an_image_is_pulled_when_there_is_none_or_always(daemon, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_REG", "docker://me:pw@registry.example.org")

    assert run(command="true", image="other:2")[0].error is None
    assert run(command="true", force_pull=True, docker_conn_id="reg")[0].error is None
    result, _ = run(command="true", image="missing")

    assert [name for name, _ in daemon.pulls] == ["other:2", "small:latest", "missing:latest"]
    assert daemon.pulls[0][1] is None
    assert daemon.pulls[1][1] is not None
    assert "The image 'missing' cannot be pulled: manifest unknown" in (result.error or "")


def test_a_folder_is_shared_when_the_daemon_sees_it(daemon):
    show = "sh -c 'echo folder $AIRFLOW_TMP_DIR'"
    assert run(command=show)[1] == "folder /tmp/airflow"
    daemon.sees_folders = False

    assert run(command=show)[1] == "folder"

    assert [len(one["HostConfig"]["Mounts"]) for one in daemon.containers.values()] == [1, 0]


def test_killing_the_task_stops_the_container(daemon):
    operator = DockerOperator(task_id="t", image="small", command="sh -c 'echo up; exec sleep 60'")
    errors: list[str] = []

    def execute() -> None:
        try:
            operator.execute({})  # type: ignore[arg-type]
        except AirflowException as error:
            errors.append(str(error))

    thread = threading.Thread(target=execute)
    thread.start()
    wait_until(lambda: bool(daemon.processes) and operator.container is not None, timeout=20)

    operator.on_kill()
    thread.join(20)

    assert ["ended with exit code 143" in error for error in errors] == [True]
    assert operator.container is None


def test_a_function_may_run_in_the_container(daemon, tmp_path):
    rehearsal = Rehearsal(
        only(
            load(
                tmp_path,
                f"""
from tradewind import DAG, task

with DAG("boxes"):
    @task.docker(image="small", python_command={sys.executable!r}, auto_remove="force")
    def double(x, *, y):
        import os
        return {{"x": x * 2, "y": y, "pid": os.getpid()}}

    double(21, y={{1, 2}})
""",
            )
        )
    )

    result = rehearsal.attempt("double")

    assert result.error is None
    found = rehearsal.xcoms("double")["return_value"]
    assert (found["x"], found["y"]) == (42, {1, 2})
    assert found["pid"] != os.getpid()


def test_what_the_daemon_refuses_is_told(daemon, monkeypatch):
    assert DockerHook().test_connection() == (True, "The Docker daemon answers.")
    with pytest.raises(AirflowException, match=r"Docker refused GET /nowhere: no such call: GET /nowhere \(404\)"):
        DockerHook()._ask("GET", "/nowhere")
    with pytest.raises(AirflowException, match="There is no Docker daemon at unix:///no/socket"):
        DockerHook(base_url="unix:///no/socket").has_image("x")
    with pytest.raises(AirflowException, match="is no address of a Docker daemon"):
        DockerHook(base_url="here").has_image("x")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (None, None),
        ("echo 'a b' c", ["echo", "a b", "c"]),
        (["echo", 1], ["echo", "1"]),
        ("['echo', 'a b']", ["echo", "a b"]),
        ("[ -e /x ]", ["[", "-e", "/x", "]"]),
    ],
)
def test_commands_are_taken_apart(command, expected):
    assert words(command) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"auto_remove": "always"}, "auto_remove 'always' does not exist"),
        ({"mem_limit": "much"}, "mem_limit must be a number of bytes"),
        ({"retrieve_output": True}, "retrieve_output needs retrieve_output_path"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, message):
    with pytest.raises(DagArgumentError) as caught:
        DockerOperator(task_id="t", image="small", **settings)

    assert message in str(caught.value)
