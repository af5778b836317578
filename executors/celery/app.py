"""What is the Celery application that schedulers and workers have in common? Its settings, queues and its one task.

A message holds the id of an attempt and nothing else, and is acknowledged as soon as it is received: what is to be run
is decided by the metadata DB, where free workers look for themselves when no message comes.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.utils.url import maybe_sanitize_url

from executors.celery.broker_tls import broker_tls
from tradewind.config import Config

TASK: Final = "tradewind.attempt"
"""The name of the one Celery task. Its argument is the id of an attempt."""

CONTROL_LOOK: Final = "tradewind_look"
"""A control command: look at the metadata DB now, since somebody wants an attempt to be ended."""
CONTROL_DRAIN: Final = "tradewind_drain"
"""A control command: take no more, and end at the latest after ``deadline_seconds`` when ``is_leaving``."""
CONTROL_RESUME: Final = "tradewind_resume"
"""A control command: take work again."""

DEFAULT_NAME: Final = "CeleryExecutor"
HEARTBEAT_SECONDS: Final = 20
"""Of RabbitMQ: a peer that was silent for so long, or twice, is gone."""
_CONNECT_SECONDS: Final = 4.0
_KEEP_ALIVE: Final = {
    # A worker only waits for messages: a network that was cut would never be noticed by what it sends. 25 s here.
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}


def make_app(config: Config) -> Celery:
    """Return a Celery application on ``[celery] broker_url``. Nothing is connected yet."""
    url, use_ssl = broker_tls(config.celery.broker_url)
    app = Celery("tradewind", set_as_current=False, broker=url, backend=None, fixups=[])
    app.conf.update(
        # All three: otherwise an environment variable of Celery's own would lead elsewhere.
        broker_url=url,
        broker_read_url=url,
        broker_write_url=url,
        broker_use_ssl=use_ssl,
        broker_connection_timeout=_CONNECT_SECONDS,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for ever: until then the worker asks the metadata DB
        broker_heartbeat=HEARTBEAT_SECONDS,
        broker_transport_options=_transport_options(url),
        # Data, never code: a pickle from the broker would run as this user.
        task_serializer="json",
        accept_content=["json"],
        event_serializer="json",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_default_queue=config.operators.default_queue,
        task_default_delivery_mode="transient",  # what a broker forgets, a look finds
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_enable_prefetch_count_reduction=False,
        worker_enable_remote_control=True,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,  # there are none; False is about to go
        enable_utc=True,
    )
    return app


def broker_queue(executor: str, queue: str) -> str:
    """Return what a queue is called at the broker: executors that share a broker do not hear each other."""
    return queue if executor == DEFAULT_NAME else f"{executor}.{queue}"


def listening_queue(name: str, url: str) -> Queue:
    """Return a queue as a worker consumes it.

    Redis counts a message as taken when it is handed out, and so keeps no list of those that are not acknowledged yet.
    RabbitMQ would then hand out all at once, whatever is free: there each is acknowledged as it comes.
    """
    exchange = Exchange(name)  # type: ignore[no-untyped-call]
    return Queue(name, exchange, routing_key=name, no_ack=_is_redis(url))  # type: ignore[no-untyped-call]


def safe_broker(config: Config) -> str:
    """Return the address of the broker without its password, for logs."""
    return str(maybe_sanitize_url(config.celery.broker_url))


def _transport_options(url: str) -> dict[str, Any]:
    if _is_redis(url):
        return {
            "socket_connect_timeout": _CONNECT_SECONDS,
            "socket_timeout": 10.0,
            "socket_keepalive": True,
            "socket_keepalive_options": _KEEP_ALIVE,
            "health_check_interval": 10,
            "queue_order_strategy": "round_robin",
        }
    return {}


def _is_redis(url: str) -> bool:
    return url.startswith(("redis", "valkey", "sentinel"))
