"""How is the web UI served? By waitress in one process; by gunicorn for many readers, for HTTPS, and for workers."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from types import FrameType
from typing import Any, Final

import waitress
from flask import Flask

from executors.runner.linux import die_with_parent
from tradewind import __version__
from tradewind.config import Config
from tradewind.errors import TradewindError, UsageError
from tradewind.metadata.database import Database
from tradewind.metadata.presence import Presence
from webui.app import create_app
from webui.settings import STREAMS_PER_PROCESS
from webui.web import Web

STATEMENT_TIMEOUT_SECONDS: Final = 10.0
"""No page may keep the database busy for longer."""

log: Final = logging.getLogger("tradewind.webui")
_M_ARENA_MAX: Final = -8  # of mallopt(3)
_M_MMAP_THRESHOLD: Final = -3


def serve(config: Config, *, shares_port: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. The metadata DB must be migrated and the secrets be made.

    Args:
        shares_port: other web servers of this machine listen at the same address, and the kernel deals connections out.

    Raises:
        TradewindError: the port is taken, or the address cannot be listened at.
    """
    certificate = find_certificate(config)
    check_port(config.api.host, config.api.port, shares_port=shares_port)
    _save_memory()
    app = create_app(config, _database(config))
    warm(app)
    # waitress speaks no HTTPS, and keeps on disk whatever anybody sends before it can be asked whether to take it: for
    # what workers send that would be too much.
    is_small = config.api.workers == 1 and not certificate and not config.workers.token
    if sys.platform == "win32" or is_small:
        _serve_in_this_process(app, config, shares_port)
    else:
        _serve_in_many(app, config, shares_port, certificate)


def _save_memory() -> None:
    """Keep the C library from holding on to memory.

    Each of the many threads would get a memory pool of its own, and the 19 MB that checking a password takes would stay
    in the pool of the thread that did it.
    """
    if sys.platform == "linux":
        try:
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_M_ARENA_MAX, 2)
            mallopt(_M_MMAP_THRESHOLD, 1 << 20)
        except (OSError, AttributeError):  # another C library than glibc: it has no such habit
            log.debug("mallopt is not there")


def _database(config: Config) -> Database:
    return Database(
        config.database.sql_alchemy_conn,
        pool_size=config.database.sql_alchemy_pool_size,
        statement_timeout_seconds=min(STATEMENT_TIMEOUT_SECONDS, config.database.statement_timeout_seconds),
    )


def warm(app: Flask) -> None:
    """Compile all templates now: the workers share the memory, and no first reader waits."""
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)


def check_port(host: str, port: int, *, shares_port: bool = False) -> None:
    """Raise an error that says the mend when the address cannot be listened at.

    Raises:
        TradewindError: it cannot.
    """
    _bind(host, port, shares_port).close()


def find_certificate(config: Config) -> dict[str, str]:
    """Return what gunicorn must know to speak HTTPS; nothing when it is to speak HTTP.

    Raises:
        UsageError: one of the files is missing or cannot be read, or they do not belong together.
    """
    cert, key = config.api.ssl_cert, config.api.ssl_key
    if cert is None and key is None:
        return {}
    if cert is None or key is None or sys.platform == "win32":
        raise UsageError(
            "HTTPS needs both [api] ssl_cert and [api] ssl_key, and does not work on Windows. Set both, or none, and "
            "put a proxy that speaks HTTPS before the web server."
        )
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise UsageError(
            f"[api] ssl_cert is {cert}, [api] ssl_key is {key}, and they cannot be used: "
            f"{getattr(error, 'strerror', None) or error}. Name PEM files that this account can read and that belong "
            "together, the key without a password."
        ) from error
    return {"certfile": str(cert), "keyfile": str(key)}


def _no_password() -> str:
    raise ValueError("the key has a password")


def _bind(host: str, port: int, shares_port: bool) -> socket.socket:
    """Return a socket at this address that does not listen yet."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise TradewindError(
            f"The web server cannot listen at {host}:{port}: {error.strerror or error}. Another program may be there: "
            "end it, or choose another port with [api] port or TRADEWIND__API__PORT."
        ) from error
    return bound


def _serve_in_this_process(app: Flask, config: Config, shares_port: bool) -> None:
    """One process with threads: half the memory of a master and a worker, and the same for a small team."""
    state: Web = app.extensions["tradewind"]
    place: dict[str, Any] = {"host": config.api.host, "port": config.api.port}
    if shares_port:
        place = {"sockets": [_bind(config.api.host, config.api.port, shares_port)]}
    server = waitress.create_server(
        app,
        **place,
        threads=config.api.threads + STREAMS_PER_PROCESS,
        connection_limit=1000,
        max_request_body_size=4 << 20,
        ident=None,
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        state.hub.close()  # open streams would hold the end up
        raise SystemExit(0)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
    gc.collect()
    gc.freeze()
    presence = _presence(app)
    presence.start()
    try:
        server.run()
    finally:
        presence.stop()


def _presence(app: Flask) -> Presence:
    """Return the lease of a process that serves, for those who ask who is there, an upgrade above all."""
    state: Web = app.extensions["tradewind"]
    lease = timedelta(seconds=state.config.scheduler.lease_seconds)
    made = app.extensions["tradewind.presence"] = Presence(state.db, "webserver", lease, {"version": __version__})
    return made


def _serve_in_many(app: Flask, config: Config, shares_port: bool, certificate: Mapping[str, str]) -> None:
    """A master with several workers, for more readers than one process can serve, for HTTPS, and for workers."""
    from gunicorn.app.base import BaseApplication  # does not exist on Windows

    host = f"[{config.api.host}]" if ":" in config.api.host else config.api.host
    options: dict[str, Any] = {
        "bind": f"{host}:{config.api.port}",
        "reuse_port": shares_port,
        "workers": config.api.workers,
        "worker_class": "gthread",
        # Live pages hold a thread each; threads are made when needed, so the many cost nothing until then.
        "threads": config.api.threads + STREAMS_PER_PROCESS,
        "preload_app": True,
        "timeout": 120,
        "graceful_timeout": 3,
        "keepalive": 15,
        "control_socket_disable": True,
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,
        "accesslog": None,
        "loglevel": "warning",
        "proc_name": "tradewind webserver",
        "pre_fork": _before_fork,
        "post_fork": _after_fork,
        "worker_exit": _before_end,
        **certificate,
    }

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            for name, value in options.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Flask:
            return app

    Server().run()


def _before_fork(_arbiter: Any, _worker: Any) -> None:
    # What is there now stays shared between the workers: the collector must not touch (and so copy) it.
    gc.collect()
    gc.freeze()


def _after_fork(_arbiter: Any, worker: Any) -> None:
    """Give each worker database connections of its own; none was opened before the fork, but be sure of it."""
    app: Flask = worker.app.wsgi()
    state: Web = app.extensions["tradewind"]
    state.db.engine.dispose(close=False)
    die_with_parent(worker.ppid)  # who would else hold the port for seconds when the master was killed
    _presence(app).start()


def _before_end(_arbiter: Any, worker: Any) -> None:
    presence: Presence | None = worker.app.wsgi().extensions.get("tradewind.presence")
    if presence is not None:
        presence.stop()
