"""How is a container run as a task? ``DockerOperator``: what it writes goes to the log, and its end is the task's."""

from __future__ import annotations

import ast
import io
import pickle
import shlex
import tempfile
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tradewind.sdk import arguments
from tradewind.sdk.exceptions import AirflowException, AirflowSkipException, DagArgumentError
from tradewind.sdk.hooks.docker import DockerHook
from tradewind.sdk.operator import BaseOperator

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

_REMOVALS: Final = ("never", "success", "force")
_NO_SUCH_FOLDER: Final = "bind source path does not exist"
_SIZES: Final = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


class DockerOperator(BaseOperator):
    """Runs a container to its end; the last line that it writes is the task's output.

    Args:
        image: pulled when the daemon has none, or always with ``force_pull``.
        command, entrypoint: lists, or texts that are taken apart as a shell does; a text that begins with ``[`` is
            a list in Python's form.
        environment, private_environment: variables; the latter is no template and is not shown.
        env_file: the text of a file with ``NAME=value`` lines, or the path of a template file that ends in ``.env``.
        docker_url: of the daemon; by default ``DOCKER_HOST``, else its usual socket.
        docker_conn_id: the connection with the login to the registry.
        mounts: dicts as the API has them: ``{"Type": "bind", "Source": "/here", "Target": "/there"}``.
        mount_tmp_dir: give the container a fresh folder of this machine at ``tmp_dir``, if the daemon runs here.
        mem_limit: bytes, or a text such as ``"512m"``.
        cpus: share of processors that counts when others want them; 1.0 is the usual one.
        auto_remove: ``never``, ``success`` (when the task succeeds), or ``force`` (always).
        skip_on_exit_code: exit code, or several, that mean ``skipped``.
        retrieve_output: take the output from the pickle file ``retrieve_output_path`` in the container.
        xcom_all: the output is the list of all lines.
        timeout: seconds to wait for answers of the daemon.
    """

    template_fields: Sequence[str] = (
        "image", "command", "environment", "env_file", "container_name", "mounts", "docker_conn_id",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"env_file": "yaml"}
    template_ext: Sequence[str] = (".sh", ".bash", ".env")

    def __init__(
        self,
        *,
        image: str,
        command: str | list[str] | None = None,
        container_name: str | None = None,
        cpus: float = 1.0,
        docker_url: str | None = None,
        environment: Mapping[str, Any] | None = None,
        private_environment: Mapping[str, Any] | None = None,
        env_file: str | None = None,
        force_pull: bool = False,
        mem_limit: float | str | None = None,
        host_tmp_dir: str | None = None,
        network_mode: str | None = None,
        mount_tmp_dir: bool = True,
        tmp_dir: str = "/tmp/airflow",
        user: str | int | None = None,
        mounts: list[Any] | None = None,
        entrypoint: str | list[str] | None = None,
        working_dir: str | None = None,
        xcom_all: bool = False,
        docker_conn_id: str | None = None,
        dns: list[str] | None = None,
        dns_search: list[str] | None = None,
        auto_remove: str = "never",
        shm_size: int | None = None,
        tty: bool = False,
        hostname: str | None = None,
        privileged: bool = False,
        cap_add: Iterable[str] | None = None,
        extra_hosts: Mapping[str, str] | None = None,
        retrieve_output: bool = False,
        retrieve_output_path: str | None = None,
        timeout: float = 60,
        ipc_mode: str | None = None,
        skip_on_exit_code: int | Container[int] | None = None,
        labels: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image: Any = image
        self.command: Any = command
        self.container_name: Any = container_name
        self.docker_url = docker_url
        self.environment: Any = dict(environment or {})
        self._private_environment = dict(private_environment or {})
        self.env_file: Any = env_file
        self.force_pull = force_pull
        self.host_tmp_dir, self.mount_tmp_dir, self.tmp_dir = host_tmp_dir, mount_tmp_dir, tmp_dir
        self.mounts: Any = list(mounts or [])
        self.entrypoint = entrypoint
        self.xcom_all = xcom_all
        self.docker_conn_id: Any = docker_conn_id
        self.auto_remove: str = arguments.one_of(_REMOVALS)(self.who, "auto_remove", auto_remove)
        self.tty = tty
        if retrieve_output and not retrieve_output_path:
            raise DagArgumentError(
                f"{self.who}: retrieve_output needs retrieve_output_path. Give the path of the file."
            )
        self.retrieve_output, self.retrieve_output_path = retrieve_output, retrieve_output_path
        self.timeout = timeout
        self.skip_on_exit_code = _codes(skip_on_exit_code)
        self._settings = {
            "User": None if user is None else str(user),
            "WorkingDir": working_dir,
            "Hostname": hostname,
            "Labels": None if labels is None else dict(labels),
        }
        self._host = {
            "CpuShares": round(cpus * 1024),
            "Memory": _bytes(self.who, mem_limit),
            "NetworkMode": network_mode,
            "Dns": dns,
            "DnsSearch": dns_search,
            "ShmSize": shm_size,
            "Privileged": privileged,
            "CapAdd": None if cap_add is None else list(cap_add),
            "ExtraHosts": [f"{name}:{place}" for name, place in (extra_hosts or {}).items()],
            "IpcMode": ipc_mode,
        }
        self.container: str | None = None

    @property
    def hook(self) -> DockerHook:
        """What speaks to the daemon."""
        return DockerHook(self.docker_conn_id, self.docker_url, timeout=self.timeout)

    def execute(self, context: Context) -> Any:
        """Pull the image if need be, run the container, and return its output."""
        hook = self.hook
        if self.force_pull or not hook.has_image(self.image):
            self.log.info("Pulling the image %s", self.image)
            hook.pull(self.image)
        if not self.mount_tmp_dir or not hook.base_url.startswith("unix:"):
            return self._run(hook, self.mounts, {})
        with tempfile.TemporaryDirectory(prefix="tradewind-docker-", dir=self.host_tmp_dir) as folder:
            shared = {"Type": "bind", "Source": folder, "Target": self.tmp_dir}
            try:
                return self._run(hook, [*self.mounts, shared], {"AIRFLOW_TMP_DIR": self.tmp_dir})
            except AirflowException as error:
                if _NO_SUCH_FOLDER not in str(error):
                    raise
        self.log.warning("The Docker daemon does not see the folders of this machine, so none is shared")
        return self._run(hook, self.mounts, {})

    def _run(self, hook: DockerHook, mounts: list[Any], variables: Mapping[str, str]) -> Any:
        settings = self._settings | {
            "Image": self.image,
            "Cmd": words(self.command),
            "Entrypoint": words(self.entrypoint),
            "Env": [f"{name}={value}" for name, value in {**self._variables(), **variables}.items()],
            "Tty": self.tty,
            "HostConfig": _given({**self._host, "Mounts": mounts}),
        }
        is_done = False
        container = self.container = hook.create(_given(settings), self.container_name)
        try:
            hook.start(container)
            lines: list[str] = []
            for line in hook.logs(container, is_tty=self.tty):
                self.log.info("%s", line)
                if not self.xcom_all:
                    lines.clear()
                lines.append(line)
            self._judge(hook.wait(container))
            is_done = True
            return self._output(hook, container, lines)
        finally:
            if self.auto_remove == "force" or (self.auto_remove == "success" and is_done):
                hook.remove(container, force=self.auto_remove == "force")
            self.container = None

    def _judge(self, code: int) -> None:
        self.log.info("The container ended with exit code %s", code)
        if code in self.skip_on_exit_code:
            raise AirflowSkipException(f"Docker container returned exit code {code}. Skipping.")
        if code != 0:
            raise AirflowException(
                f"{self.who}: the container ended with exit code {code}. Its output is in the log above."
            )

    def _output(self, hook: DockerHook, container: str, lines: list[str]) -> Any:
        if self.retrieve_output:
            assert self.retrieve_output_path is not None
            found = hook.read_file(container, self.retrieve_output_path)
            # What a container of the task's own left is trusted as the task is.
            return None if not found else pickle.load(io.BytesIO(found))
        if not self.do_xcom_push or not lines:
            return None
        return lines if self.xcom_all else lines[-1]

    def _variables(self) -> dict[str, Any]:
        lines = (line.strip() for line in (self.env_file or "").splitlines())
        from_file = dict(line.partition("=")[::2] for line in lines if line and not line.startswith("#"))
        return {**from_file, **self.environment, **self._private_environment}

    def on_kill(self) -> None:
        """Stop the container: SIGTERM, and SIGKILL five seconds later."""
        if self.container is not None:
            self.log.info("Stopping the container")
            hook = self.hook
            hook.stop(self.container)
            if self.auto_remove == "force":
                with suppress(AirflowException):
                    hook.remove(self.container, force=True)


def words(command: Any) -> list[str] | None:
    """Return a command as a list, as :class:`DockerOperator` takes it."""
    if command is None:
        return None
    if not isinstance(command, str):
        return [str(word) for word in command]
    if command.strip().startswith("["):
        with suppress(ValueError, SyntaxError):
            return [str(word) for word in ast.literal_eval(command.strip())]
    return shlex.split(command)


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _bytes(who: str, limit: float | str | None) -> int | None:
    if limit is None or isinstance(limit, int | float):
        return None if limit is None else int(limit)
    text = limit.lower().removesuffix("b") or "0"
    try:
        return int(float(text[:-1]) * _SIZES[text[-1]]) if text[-1] in _SIZES else int(text)
    except ValueError:
        raise arguments.wrong(who, "mem_limit", limit, "a number of bytes or a text such as '512m'") from None


def _codes(value: int | Container[int] | None) -> Container[int]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else value
