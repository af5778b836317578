"""What happens to RabbitMQ where it is the broker? A server that is there is used, in a virtual host of its own."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from tests.chaos.faults import Fault, Struck
from tests.chaos.ground import Ground

SERVER: Final = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672")
VHOST: Final = "tradewind-chaos"


def missing() -> str:
    """Return what is missing for a story on RabbitMQ, in words; empty when nothing."""
    if shutil.which("rabbitmqctl") is None:
        return "rabbitmqctl"
    place = urlsplit(SERVER)
    try:
        socket.create_connection((place.hostname or "127.0.0.1", place.port or 5672), timeout=2).close()
    except OSError:
        return f"a RabbitMQ server at {place.hostname}:{place.port}"
    return ""


@contextmanager
def virtual_host() -> Iterator[str]:
    """Give the URL of an empty virtual host, removed afterwards."""
    user = urlsplit(SERVER).username or "guest"
    control("add_vhost", VHOST)
    try:
        control("set_permissions", "-p", VHOST, user, ".*", ".*", ".*")
        yield f"{SERVER.rstrip('/')}/{VHOST}"
    finally:
        control("delete_vhost", VHOST)


def control(*words: str) -> None:
    """Run ``rabbitmqctl``."""
    subprocess.run(["rabbitmqctl", "-q", *words], check=True, capture_output=True, timeout=120)


def restart(ground: Ground, chance: random.Random) -> Struck | None:
    """The server stops and starts; messages are transient, so what it held is gone."""
    struck = Struck("restart of RabbitMQ", "rabbitmq", ground.outside.now(), ground.at_work())
    control("stop_app")
    control("start_app")
    return struck


def cut(ground: Ground, chance: random.Random) -> Struck | None:
    """Every connection to the broker ends at once."""
    struck = Struck("all connections to RabbitMQ cut", "rabbitmq", ground.outside.now(), ground.at_work())
    control("close_all_connections", "--vhost", VHOST, "chaos")
    return struck


def purge(ground: Ground, chance: random.Random) -> Struck | None:
    """All messages are gone."""
    struck = Struck("queues of RabbitMQ purged", "rabbitmq", ground.outside.now(), ground.at_work())
    for queue in ("default", "worker-1", "worker-2"):
        subprocess.run(["rabbitmqctl", "-q", "purge_queue", "-p", VHOST, queue], capture_output=True, timeout=60)
    return struck


FAULTS: Final[Mapping[str, Fault]] = {"restart_rabbitmq": restart, "cut_rabbitmq": cut, "purge_rabbitmq": purge}
