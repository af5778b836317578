"""What stands for ``Stats`` and traces? Numbers that a task reports go nowhere; the calls stay valid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final


class Timer:
    """Measures a block; ``duration`` is in milliseconds, as in Airflow."""

    duration: float | None = None

    def __enter__(self) -> Timer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Timer:
        """Begin."""
        self._begun = time.perf_counter()
        return self

    def stop(self, send: bool = True) -> None:
        """End; nothing is sent anywhere."""
        self.duration = 1000 * (time.perf_counter() - self._begun)


class StatsLogger:
    """Takes the numbers that tasks report, and keeps none: the scheduler has metrics of its own."""

    def incr(self, stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, Any] | None = None) -> None:
        """Count up: goes nowhere."""

    def decr(self, stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, Any] | None = None) -> None:
        """Count down: goes nowhere."""

    def gauge(
        self, stat: str, value: float, rate: float = 1, delta: bool = False, *, tags: dict[str, Any] | None = None
    ) -> None:
        """Say how high a value is: goes nowhere."""

    def timing(self, stat: str, dt: Any, *, tags: dict[str, Any] | None = None) -> None:
        """Say how long something took: goes nowhere."""

    def timer(self, stat: str | None = None, *args: Any, tags: dict[str, Any] | None = None, **kwargs: Any) -> Timer:
        """Return what measures a block."""
        return Timer()

    @classmethod
    def initialize(cls, **_: Any) -> None:
        """Nothing to prepare."""


Stats: Final = StatsLogger()
incr, decr, gauge, timing, timer = Stats.incr, Stats.decr, Stats.gauge, Stats.timing, Stats.timer
initialize = Stats.initialize


def normalize_name_for_stats(name: str, log_warning: bool = True) -> str:
    """Return ``name`` with ``_`` in place of signs that no metric may have."""
    return "".join(sign if sign.isalnum() or sign in "-._" else "_" for sign in name)


class Trace:
    """Takes the spans that tasks open, and keeps none."""

    @classmethod
    def start_span(cls, *_: Any, **__: Any) -> Any:
        """Return a block that records nothing."""
        return nullcontext(Span())

    start_root_span = start_child_span = use_span = start_span

    @classmethod
    def get_current_span(cls) -> Span:
        """Return a span that records nothing."""
        return Span()


class Span:
    """Records nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def add_span(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``func`` as it is."""
    return func


@contextmanager
def new_trace_context(*_: Any, **__: Any) -> Iterator[Span]:
    """A block that records nothing."""
    yield Span()
