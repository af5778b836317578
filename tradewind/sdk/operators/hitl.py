"""How does a task ask a person? ``HITLOperator`` and its kin: it waits without a slot until somebody has answered.

Names, arguments and results are those of Airflow's standard provider.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypedDict
from urllib.parse import urlencode, urlsplit

from tradewind.model.orders import Question
from tradewind.sdk.exceptions import AirflowException, ParamValidationError, TaskAwaitingInput
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operators.branch import BranchMixIn
from tradewind.sdk.params import ParamsDict
from tradewind.sdk.skip import SkipMixin

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

Notifier = Callable[[Any], Any]


class HITLTriggerEventError(Exception):
    """What came back instead of an answer says that something went wrong."""


class HITLTimeoutError(HITLTriggerEventError):
    """Nobody answered in time, and there are no defaults."""


class HITLRejectException(AirflowException):
    """An :class:`ApprovalOperator` with ``fail_on_reject`` was answered with "Reject"."""


class HITLUser(TypedDict):
    """Somebody who may answer. Either of the two may be the user name."""

    id: str
    name: str


class HITLOperator(BaseOperator):
    """Asks a person to choose among options, and to fill in fields; returns what was said.

    Args:
        subject: the question, in one line; a template.
        options: what can be chosen.
        body: more about it, as Markdown; a template.
        defaults: what is chosen when nobody answers within ``response_timeout``; without them the task fails then.
        multiple: whether several options may be chosen.
        params: fields to fill in, each a value or a Param.
        notifiers: called with the context when the question is asked.
        assigned_users: who may answer; without them whoever has the role op.
        response_timeout: how long to wait; without it for ever.
    """

    template_fields: Sequence[str] = ("subject", "body")

    def __init__(
        self,
        *,
        subject: str,
        options: list[str],
        body: str | None = None,
        defaults: str | list[str] | None = None,
        multiple: bool = False,
        params: ParamsDict | dict[str, Any] | None = None,
        notifiers: Sequence[Notifier] | Notifier | None = None,
        assigned_users: HITLUser | list[HITLUser] | None = None,
        response_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.execution_timeout and not response_timeout:
            warnings.warn(
                f"{self.who}: execution_timeout is taken for response_timeout, since the task itself only asks. "
                "Write response_timeout=.",
                DeprecationWarning,
                stacklevel=3,
            )
            response_timeout, self.execution_timeout = self.execution_timeout, None
        self.response_timeout = response_timeout
        self.subject, self.body = subject, body
        self.options = options
        self.defaults = [defaults] if isinstance(defaults, str) else defaults
        self.multiple = multiple
        self.notifiers: Sequence[Notifier] = [notifiers] if callable(notifiers) else list(notifiers or ())
        self.assigned_users: list[HITLUser] | None = _users(assigned_users)
        self.form = params if isinstance(params, ParamsDict) else ParamsDict(params or {})
        self.validate_options()
        self.validate_params()
        self.validate_defaults()
        # A field whose default does not fit is for the person to fill in; it has no value before that.
        self.params = ParamsDict({name: param for name, param in self.form.declared().items() if _has_value(param)})
        self.hitl_summary_extra: dict[str, Any] = {}

    # --- checks when the file is read ----------------------------------------------------------------------------

    def validate_options(self) -> None:
        """Refuse a question without options.

        Raises:
            ValueError: there are none.
        """
        if not self.options:
            raise ValueError(f'{self.who}: "options" cannot be empty. Give the answers that can be chosen.')

    def validate_params(self) -> None:
        """Refuse a name of a field that stands for something else.

        Raises:
            ValueError: it is ``_options``.
        """
        if "_options" in self.form:
            raise ValueError(f'{self.who}: "_options" is not allowed in params. Give the field another name.')

    def validate_defaults(self) -> None:
        """Refuse defaults that could not be chosen.

        Raises:
            ValueError: one is no option, or there are several although only one may be chosen.
        """
        if self.defaults is None:
            return
        if not set(self.defaults) <= set(self.options):
            raise ValueError(f"{self.who}: defaults {self.defaults} must be among the options {self.options}.")
        if not self.multiple and len(self.defaults) > 1:
            raise ValueError(f"{self.who}: more than one default, although multiple is False. Give one.")

    # --- asking --------------------------------------------------------------------------------------------------

    @property
    def serialized_params(self) -> dict[str, dict[str, Any]]:
        """The fields: name -> value (the default), description, schema."""
        return {name: param.dump() for name, param in self.form.declared().items()}

    @property
    def hitl_summary(self) -> dict[str, Any]:
        """The question, and once it is there the answer, as plain data."""
        return {
            "subject": self.subject,
            "body": self.body,
            "options": self.options,
            "defaults": self.defaults,
            "multiple": self.multiple,
            "assigned_users": self.assigned_users,
            "serialized_params": self.serialized_params or None,
            **self.hitl_summary_extra,
        }

    def execute(self, context: Context) -> Any:
        """Ask, tell the notifiers, and wait."""
        due = None if self.response_timeout is None else datetime.now(UTC) + self.response_timeout
        self.hitl_summary_extra["timeout_datetime"] = None if due is None else due.isoformat()
        self.log.info("Asking: %s", self.subject)
        for notifier in self.notifiers:
            notifier(context)
        self._ask(due)

    def _ask(self, due: datetime | None) -> NoReturn:
        question = Question(
            subject=str(self.subject),
            options=tuple(str(option) for option in self.options),
            body=None if self.body is None else str(self.body),
            defaults=None if self.defaults is None else tuple(self.defaults),
            multiple=self.multiple,
            params=self.serialized_params,
            assignees=tuple(_account(user) for user in self.assigned_users or ()),
        )
        late: dict[str, Any] = {"error": "Nobody answered in time, and there are no defaults.", "error_type": "timeout"}
        if self.defaults is not None:
            late = {
                "chosen_options": list(self.defaults),
                "params_input": {name: one["value"] for name, one in self.serialized_params.items()},
                "responded_at": due,
                "responded_by_user": None,
                "timedout": True,
            }
        raise TaskAwaitingInput(
            method_name="execute_complete", question=question, timeout=self.response_timeout, timeout_payload=late
        )

    # --- the answer ----------------------------------------------------------------------------------------------

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Check the answer and return it: chosen_options, params_input, responded_at, responded_by_user.

        Raises:
            HITLTimeoutError: nobody answered in time.
            ValueError: the answer does not fit the question.
        """
        if "error" in event:
            self.hitl_summary_extra["error_type"] = event["error_type"]
            self.process_trigger_event_error(event)
        answer = {
            "chosen_options": event["chosen_options"],
            "params_input": event["params_input"] or {},
            "responded_at": event["responded_at"],
            "responded_by_user": event["responded_by_user"],
        }
        self.validate_chosen_options(answer["chosen_options"])
        self.validate_params_input(answer["params_input"])
        at = answer["responded_at"]
        self.hitl_summary_extra.update(answer, responded_at=None if at is None else at.isoformat())
        by = answer["responded_by_user"]
        self.log.info("Answered by %s: %s", by["name"] if by else "the defaults", answer["chosen_options"])
        return answer

    def process_trigger_event_error(self, event: dict[str, Any]) -> NoReturn:
        """Raise what an error instead of an answer stands for."""
        raise (HITLTimeoutError if event["error_type"] == "timeout" else HITLTriggerEventError)(event)

    def validate_chosen_options(self, chosen_options: list[str]) -> None:
        """Refuse options that were not offered.

        Raises:
            ValueError: there are such.
        """
        strange = sorted(set(chosen_options) - set(self.options))
        if strange:
            raise ValueError(f"{self.who}: the answer has {strange}, which are not among the options {self.options}.")

    def validate_params_input(self, params_input: Mapping[str, Any]) -> None:
        """Refuse fields that were not asked for, or that do not fit; keep the others in ``params``.

        Raises:
            ValueError: the names are not those of the question.
            ParamValidationError: a value does not fit its schema.
        """
        if len(self.form) and params_input and set(self.form) != set(params_input):
            raise ValueError(
                f"{self.who}: the answer has the fields {sorted(params_input)}, and {sorted(self.form)} were asked for."
            )
        for name, value in params_input.items():
            self.form[name] = value
            self.params[name] = value

    # --- links ---------------------------------------------------------------------------------------------------

    def generate_link_to_ui(
        self,
        *,
        task_instance: Any,
        base_url: str | None = None,
        options: str | list[str] | None = None,
        params_input: dict[str, Any] | None = None,
    ) -> str:
        """Return the address of the page where the question is answered, with an answer filled in.

        Raises:
            ValueError: an option or a field is none of the question, or no ``base_url`` is given.
        """
        chosen = [options] if isinstance(options, str) else options
        query: dict[str, Any] = {}
        if chosen:
            if strange := set(chosen) - set(self.options):
                raise ValueError(f"options {sorted(strange)} are not among the options {self.options}.")
            query["_options"] = chosen
        if params_input:
            if strange := params_input.keys() - set(self.form):
                raise ValueError(f"params {sorted(strange)} are not among the params of the question.")
            query.update(params_input)
        if not base_url:
            raise ValueError("A link needs base_url=, the address of the web UI, since a task does not know it.")
        query["map_index"] = task_instance.map_index
        parts = urlsplit(base_url)
        path = f"/dags/{task_instance.dag_id}/runs/{task_instance.run_id}/tasks/{task_instance.task_id}"
        return f"{parts.scheme}://{parts.netloc}{path}/required_actions?{urlencode(query)}"

    @staticmethod
    def generate_link_to_ui_from_context(
        *,
        context: Context,
        base_url: str | None = None,
        options: list[str] | None = None,
        params_input: dict[str, Any] | None = None,
    ) -> str:
        """The same for the task that runs.

        Raises:
            ValueError: it asks nobody; or as :meth:`generate_link_to_ui`.
        """
        task = context["task"]
        if not isinstance(task, HITLOperator):
            raise ValueError(f"{task!r} asks nobody: it is no HITLOperator.")
        return task.generate_link_to_ui(
            task_instance=context["task_instance"], base_url=base_url, options=options, params_input=params_input
        )


class ApprovalOperator(HITLOperator, SkipMixin):
    """Asks for an approval. After "Reject" the tasks below are skipped.

    Args:
        ignore_downstream_trigger_rules: skip everything below, not only the tasks directly below.
        fail_on_reject: fail instead.
    """

    inherits_from_skipmixin = True
    FIXED_ARGS: ClassVar[list[str]] = ["options", "multiple"]
    APPROVE = "Approve"
    REJECT = "Reject"

    def __init__(
        self, *, ignore_downstream_trigger_rules: bool = False, fail_on_reject: bool = False, **kwargs: Any
    ) -> None:
        for name in self.FIXED_ARGS:
            if name in kwargs:
                raise ValueError(f"Passing {name} to ApprovalOperator is not allowed: it asks for Approve or Reject.")
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules
        self.fail_on_reject = fail_on_reject
        super().__init__(options=[self.APPROVE, self.REJECT], multiple=False, **kwargs)
        self.hitl_summary_extra["ignore_downstream_trigger_rules"] = ignore_downstream_trigger_rules
        self.hitl_summary_extra["fail_on_reject"] = fail_on_reject

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on, skip what is below, or fail.

        Raises:
            HITLRejectException: rejected, and ``fail_on_reject`` is set.
        """
        answer = super().execute_complete(context, event)
        approved = answer["chosen_options"][0] == self.APPROVE
        self.hitl_summary_extra["approved"] = approved
        if approved:
            return answer
        if self.fail_on_reject:
            raise HITLRejectException('The answer was "Reject".')
        task = context["task"]
        every = self.ignore_downstream_trigger_rules
        ids = task.get_flat_relative_ids(upstream=False) if every else task.downstream_task_ids
        below = [task.dag.get_task(task_id) for task_id in ids]
        self.log.info("Rejected: the tasks below are skipped")
        self.skip(ti=context["ti"], tasks=[one for one in below if not one.is_teardown])
        return answer


class HITLBranchOperator(HITLOperator, BranchMixIn):
    """Asks which way to go: options are ids of tasks or groups below, or stand for them in ``options_mapping``."""

    inherits_from_skipmixin = True

    def __init__(self, *, options_mapping: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options_mapping = options_mapping or {}
        self.validate_options_mapping()
        self.hitl_summary_extra["options_mapping"] = self.options_mapping

    def validate_options_mapping(self) -> None:
        """Refuse a mapping from what is no option, or to what is no id.

        Raises:
            ValueError: it is such a one.
        """
        strange = sorted(set(self.options_mapping) - set(self.options))
        if strange:
            raise ValueError(f"{self.who}: `options_mapping` has {strange}, which are not in `options`.")
        wrong = {key: value for key, value in self.options_mapping.items() if not isinstance(value, str)}
        if wrong:
            raise ValueError(f"{self.who}: `options_mapping` values must be strings (task ids), not {wrong}.")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Follow what was chosen, and skip the rest."""
        answer = super().execute_complete(context, event)
        chosen = [self.options_mapping.get(option, option) for option in answer["chosen_options"]]
        self.hitl_summary_extra["branches_to_execute"] = chosen
        return self.do_branch(context, chosen)


class HITLEntryOperator(HITLOperator):
    """Asks to fill in fields; the one option is "OK" unless others are given."""

    OK = "OK"

    def __init__(self, **kwargs: Any) -> None:
        if "options" not in kwargs:
            kwargs["options"] = [self.OK]
            kwargs.setdefault("defaults", [self.OK])
        super().__init__(**kwargs)


def _users(given: Any) -> list[HITLUser] | None:
    if given is None:
        return None
    users: list[Any] = [given] if isinstance(given, Mapping) else list(given)
    for user in users:
        if not isinstance(user, Mapping) or not {"id", "name"} <= user.keys():
            raise ValueError(f'assigned_users: {user!r} is no user; write {{"id": "ann", "name": "ann"}}.')
    return users


def _account(user: HITLUser) -> str:
    """Return the user name that is meant: ids of some user databases of Airflow are bare numbers."""
    number = str(user["id"]).isdigit() and user["name"]
    return str(user["name"] if number else user["id"])


def _has_value(param: Any) -> bool:
    try:
        param.resolve()
    except ParamValidationError:
        return False
    return True
