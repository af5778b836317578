"""Does a web service say what is waited for? ``HttpSensor``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.hooks.http import HttpHook
from tradewind.sdk.operators.http import called_with, warn_of_deferrable
from tradewind.sdk.sensors.base import BaseSensorOperator, PokeReturnValue

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class HttpSensor(BaseSensorOperator):
    """Waits until a request is answered well, and ``response_check`` (if there is one) is content with the answer.

    Args:
        endpoint, method, headers, extra_options, request_kwargs: see ``HttpOperator``.
        request_params: the query of a GET, else the body.
        response_error_codes_allowlist: statuses that mean "not yet"; 404 by default. Others fail the task.
        response_check: takes the answer, and entries of the context by name; says whether the waiting is over.
    """

    template_fields: Sequence[str] = ("endpoint", "request_params", "headers", "http_conn_id")

    def __init__(
        self,
        *,
        endpoint: str,
        http_conn_id: str = "http_default",
        method: str = "GET",
        request_params: dict[str, Any] | None = None,
        request_kwargs: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        response_error_codes_allowlist: list[str] | None = None,
        response_check: Callable[..., bool | PokeReturnValue] | None = None,
        extra_options: dict[str, Any] | None = None,
        tcp_keep_alive: bool = True,
        tcp_keep_alive_idle: int = 120,
        tcp_keep_alive_count: int = 20,
        tcp_keep_alive_interval: int = 30,
        deferrable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        warn_of_deferrable(self.who, deferrable)
        self.endpoint: Any = endpoint
        self.http_conn_id: Any = http_conn_id
        self.method = method
        self.request_params: Any = request_params or {}
        self.request_kwargs = request_kwargs or {}
        self.headers: Any = headers or {}
        given = response_error_codes_allowlist
        self.response_error_codes_allowlist = ("404",) if given is None else tuple(map(str, given))
        self.response_check = response_check
        self.extra_options = extra_options or {}

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Send the request once."""
        hook = HttpHook(self.method, self.http_conn_id)
        self.log.info("Poking: %s", self.endpoint)
        try:
            answer = hook.run(
                self.endpoint, self.request_params, self.headers, self.extra_options, **self.request_kwargs
            )
        except AirflowException as error:
            if str(error).startswith(self.response_error_codes_allowlist):
                return False
            raise
        if self.response_check is None:
            return True
        found: bool | PokeReturnValue = called_with(self.response_check, answer, context)
        return found
