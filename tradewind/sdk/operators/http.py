"""How is a web service called as a task? ``HttpOperator``: its answer is the task's output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tradewind.sdk import arguments
from tradewind.sdk.context_values import Context
from tradewind.sdk.exceptions import AirflowException, IgnoredArgumentWarning
from tradewind.sdk.hooks.http import HttpHook, Response
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operators.python import keyword_arguments

if TYPE_CHECKING:
    from tradewind.sdk.context import Context as AnyContext


class HttpOperator(BaseOperator):
    """Sends a request; the task's output is the text of the answer, or what ``response_filter`` makes of it.

    Args:
        endpoint: behind the address of the connection.
        method: e.g. ``GET``.
        data: the query of a GET, else the body: a text, or a dict as a form has it.
        pagination_function: takes an answer and returns what the next request has otherwise (``endpoint``, ``data``,
            ``headers``, ``extra_options``), or None after the last. Then the functions below take a list of answers.
        response_check: takes the answer, and entries of the context by name; False fails the task.
        response_filter: the same; what it returns is the output.
        extra_options, request_kwargs: see :meth:`HttpHook.run`.
        retry_args: arguments of ``tenacity.Retrying``, for retries within the task.
    """

    template_fields: Sequence[str] = ("endpoint", "data", "headers", "http_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"headers": "json", "data": "py"}
    ui_color = "#f4a460"

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        method: str = "POST",
        data: Any = None,
        headers: dict[str, str] | None = None,
        pagination_function: Callable[..., Any] | None = None,
        response_check: Callable[..., bool] | None = None,
        response_filter: Callable[..., Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        request_kwargs: dict[str, Any] | None = None,
        http_conn_id: str = "http_default",
        log_response: bool = False,
        auth_type: Any = None,
        tcp_keep_alive: bool = True,
        tcp_keep_alive_idle: int = 120,
        tcp_keep_alive_count: int = 20,
        tcp_keep_alive_interval: int = 30,
        deferrable: bool = False,
        warn_on_non_idempotent: bool = True,
        retry_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        warn_of_deferrable(self.who, deferrable)
        self.endpoint: Any = endpoint
        self.method = method
        self.data: Any = data or {}
        self.headers: Any = headers or {}
        self.pagination_function = pagination_function
        self.response_check = response_check
        self.response_filter = response_filter
        self.extra_options = extra_options or {}
        self.request_kwargs = request_kwargs or {}
        self.http_conn_id: Any = http_conn_id
        self.log_response = log_response
        self.auth_type = auth_type
        self.retry_args = retry_args

    @property
    def hook(self) -> HttpHook:
        """What sends the requests."""
        return HttpHook(self.method, self.http_conn_id, self.auth_type)

    def execute(self, context: AnyContext) -> Any:
        """Send the request, and those for further pages."""
        self.log.info("Calling HTTP method")
        first = self._send(self.endpoint, self.data, self.headers, self.extra_options)
        answer = first if self.pagination_function is None else self._pages(first)
        if self.log_response:
            self.log.info("%s", _text(answer))
        if self.response_check is not None and not called_with(self.response_check, answer, context):
            raise AirflowException(f"{self.who}: response_check says that the answer is not good.")
        if self.response_filter is not None:
            return called_with(self.response_filter, answer, context)
        return _text(answer)

    def _pages(self, first: Response) -> list[Response]:
        assert self.pagination_function is not None
        pages = [first]
        while changes := self.pagination_function(pages[-1]):
            pages.append(
                self._send(
                    changes.get("endpoint", self.endpoint),
                    _merged(self.data, changes.get("data")),
                    _merged(self.headers, changes.get("headers")),
                    _merged(self.extra_options, changes.get("extra_options")),
                )
            )
        return pages

    def _send(self, endpoint: Any, data: Any, headers: Any, extra_options: Any) -> Response:
        what = (endpoint, data, headers, extra_options)
        if self.retry_args:
            found: Response = self.hook.run_with_advanced_retry(self.retry_args, *what, **self.request_kwargs)
            return found
        return self.hook.run(*what, **self.request_kwargs)


def warn_of_deferrable(who: str, deferrable: bool) -> None:
    """Warn the author that a small built-in operator keeps its slot while it waits."""
    if deferrable:
        arguments.warn_user(
            f"{who}: deferrable has no effect here. Install the provider package of the operator, whose trigger waits "
            "without a slot, or remove it.",
            IgnoredArgumentWarning,
        )


def called_with(function: Callable[..., Any], answer: Any, context: AnyContext) -> Any:
    """Call a function of the user with an answer, and with what it asks of the context by name."""
    return function(answer, **keyword_arguments(function, [answer], Context.of(context), {}))


def _text(answer: Response | list[Response]) -> str | list[str]:
    return [one.text for one in answer] if isinstance(answer, list) else answer.text


def _merged(given: Any, changes: Any) -> Any:
    """Return what the next request has: dicts are put together, anything else is replaced."""
    if changes is None:
        return given
    return {**given, **changes} if isinstance(given, Mapping) and isinstance(changes, Mapping) else changes
