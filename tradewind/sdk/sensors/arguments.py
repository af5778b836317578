"""Which arguments does every sensor take, beside those of every operator? For editors and type checkers."""

from __future__ import annotations

from datetime import timedelta

from tradewind.sdk.operator_arguments import OperatorArguments


class SensorArguments(OperatorArguments, total=False):
    """See :class:`~tradewind.sdk.sensors.base.BaseSensorOperator`."""

    poke_interval: timedelta | float
    timeout: timedelta | float | None
    soft_fail: bool
    mode: str
    exponential_backoff: bool
    max_wait: timedelta | float | None
    silent_fail: bool
    never_fail: bool
