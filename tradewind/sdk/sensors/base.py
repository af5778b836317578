"""How does a task wait for something? ``BaseSensorOperator``: it looks again and again until it sees it, or is late."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack

from tradewind.sdk import arguments, defaults
from tradewind.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    DagArgumentError,
    TaskDeferralTimeout,
)
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operator_arguments import OperatorArguments
from tradewind.sdk.traceback_text import user_traceback

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

_LONGEST_WAIT_SECONDS: Final = timedelta.max.total_seconds() - 1


class PokeReturnValue:
    """What ``poke`` may return instead of True or False: ``xcom_value`` becomes the task's output once ``is_done``."""

    def __init__(self, is_done: bool, xcom_value: Any | None = None) -> None:
        self.is_done, self.xcom_value = is_done, xcom_value

    def __bool__(self) -> bool:
        return self.is_done


class BaseSensorOperator(BaseOperator):
    """A task that is done as soon as its :meth:`poke` says so. Subclasses give ``poke(context)``.

    Args:
        poke_interval: time between two looks; a timedelta or seconds.
        timeout: how long to wait, from the first look of the try on; a timedelta or seconds. Later the task fails, and
            is not tried again.
        soft_fail: when it is too late, end as skipped instead of failed. Not together with ``never_fail``.
        mode: ``poke`` keeps its slot between two looks; ``reschedule`` lets go of it.
        exponential_backoff: wait longer and longer between looks, up to ``max_wait``.
        max_wait: longest time between two looks; a timedelta or seconds.
        silent_fail: an error of ``poke`` is logged, and means "not yet".
        never_fail: an error of ``poke`` ends the task as skipped.
    """

    ui_color: str = "#e6f1f2"
    valid_modes: Iterable[str] = ["poke", "reschedule"]

    def __init__(
        self,
        *,
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float | None = None,
        soft_fail: bool = False,
        mode: str = "poke",
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        silent_fail: bool = False,
        never_fail: bool = False,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.poke_interval: float = _span(self.who, "poke_interval", poke_interval).total_seconds()
        limit = defaults.current().sensor_timeout_seconds if timeout is None else timeout
        self.timeout: float = _span(self.who, "timeout", limit).total_seconds()
        self.max_wait = None if max_wait is None else _span(self.who, "max_wait", max_wait)
        if mode not in self.valid_modes:
            raise arguments.wrong(self.who, "mode", mode, f"one of {', '.join(self.valid_modes)}")
        self.mode = mode
        if soft_fail and never_fail:
            raise DagArgumentError(
                f"{self.who}: soft_fail and never_fail exclude each other. Remove soft_fail to skip after any error, "
                "or never_fail to skip when it is too late."
            )
        self.soft_fail, self.never_fail, self.silent_fail = soft_fail, never_fail, silent_fail
        self.exponential_backoff = exponential_backoff

    @property
    def reschedule(self) -> bool:
        """Whether it lets go of its slot between two looks."""
        return self.mode == "reschedule"

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once: return whether the waiting is over. For subclasses."""
        raise AirflowException(
            f"{type(self).__name__} has no poke(). Give it one that returns True or False: def poke(self, context): ..."
        )

    def execute(self, context: Context) -> Any:
        """Look until it is there, or it is too late.

        Raises:
            AirflowSensorTimeout: too late; with ``soft_fail`` AirflowSkipException instead.
            AirflowRescheduleException: not yet, and the slot is let go of.
        """
        elapsed, number = self._clock(context)
        while True:
            found = self._look(context)
            if found:
                self.log.info("Success criteria met. Exiting.")
                return found.xcom_value if isinstance(found, PokeReturnValue) else None
            waited = elapsed()
            if waited > self.timeout:
                late = (
                    f"{self.who} has waited for {waited:g} s, which is longer than its timeout of {self.timeout:g} s."
                )
                raise AirflowSkipException(late) if self.soft_fail else AirflowSensorTimeout(late)
            pause = self._pause(waited, number, context)
            if self.reschedule:
                raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=pause))
            time.sleep(pause)
            number += 1

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a wait in the triggerer; what failed there is treated as a failure of ``poke`` is.

        Raises:
            AirflowSensorTimeout: the wait took longer than ``timeout``.
            AirflowSkipException: as that, or any failure, under ``soft_fail`` or ``never_fail``.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except TaskDeferralTimeout as error:
            self._skip_softly(error)
            raise AirflowSensorTimeout(*error.args) from error
        except AirflowException as error:
            self._skip_softly(error)
            raise

    def _clock(self, context: Context) -> tuple[Callable[[], float], int]:
        """Return what tells the seconds since the first look of this try, and the number of the look to come."""
        if not self.reschedule:
            start = time.monotonic()
            return lambda: time.monotonic() - start, 1
        # Other processes of the same try have looked before; only the wall clock is common to them.
        first = context["ti"].get_first_reschedule_date(context) or datetime.now(UTC)
        return lambda: (datetime.now(UTC) - first).total_seconds(), context.get("task_reschedule_count", 0) + 1

    def _look(self, context: Context) -> bool | PokeReturnValue:
        try:
            return self.poke(context)
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException) as error:
            self._skip_softly(error)
            raise
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except Exception as error:
            if self.silent_fail:
                self.log.error("Sensor poke failed:\n%s", user_traceback(error))
                return False
            if self.never_fail:
                raise AirflowSkipException("Skipped after an error, since never_fail is set.") from error
            raise

    def _skip_softly(self, error: BaseException) -> None:
        """Raise the skip that stands for a failure; return when neither ``soft_fail`` nor ``never_fail`` is set."""
        for name in ("soft_fail", "never_fail"):
            if getattr(self, name):
                raise AirflowSkipException(f"Skipped instead of failed, since {name} is set.") from error

    def _pause(self, waited: float, number: int, context: Context) -> float:
        """Return the seconds until the next look, after look ``number`` (from 1) and ``waited`` seconds in all.

        With backoff: from half of ``poke_interval`` on, doubled with each look, plus up to as much again that depends
        on task, run and look alone, so that sensors that began together do not go on together.
        """
        if not self.exponential_backoff:
            return self.poke_interval
        least = max(int(min(self.poke_interval * 2.0 ** min(number - 2, 1000), _LONGEST_WAIT_SECONDS)), 1)
        seed = f"{self.dag_id}\0{self.task_id}\0{context['run_id']}\0{number}".encode()
        jitter = int.from_bytes(hashlib.sha256(seed).digest()) % least
        pause: float = min(least + jitter, self.timeout - int(waited), _LONGEST_WAIT_SECONDS)
        if self.max_wait is not None:
            pause = min(pause, self.max_wait.total_seconds())
        self.log.info("new %s interval is %s", self.mode, pause)
        return pause


Sensor = TypeVar("Sensor", bound=type[BaseSensorOperator])


def poke_mode_only(cls: Sensor) -> Sensor:
    """Decorate a sensor class that must keep its slot: setting its ``mode`` to anything but ``poke`` is an error."""
    if not isinstance(cls, type) or not issubclass(cls, BaseSensorOperator):
        raise DagArgumentError(f"poke_mode_only is for subclasses of BaseSensorOperator, not for {cls!r}.")

    def set_mode(sensor: BaseSensorOperator, mode: str) -> None:
        if mode != "poke":
            raise arguments.wrong(sensor.who, "mode", mode, "'poke', the only one that this sensor can")

    cls.mode = property(lambda _: "poke", set_mode)  # type: ignore[assignment]
    return cls


def _span(who: str, name: str, value: Any) -> timedelta:
    if isinstance(value, timedelta) and value >= timedelta(0):
        return value
    if isinstance(value, int | float) and value >= 0:
        return timedelta(seconds=value)
    raise arguments.wrong(who, name, value, "a timedelta or a number of seconds, not below 0")
