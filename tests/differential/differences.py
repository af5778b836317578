"""Where does Tradewind differ from Apache Airflow 3.3.2 on purpose? Each decision with its reason, and where it shows.

Whatever else differs is a fault, and fails a test; so does a decision that shows nowhere any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tests.differential.compare import Difference


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that is not as it is there.

    Attributes:
        there, here: what Airflow does, and what Tradewind does.
        reason: why.
        where: patterns of ``file: dag/run what`` (``*`` and ``?`` as in file names).
    """

    there: str
    here: str
    reason: str
    where: tuple[str, ...]

    @property
    def is_about_examples(self) -> bool:
        """Whether it shows in Airflow's example DAGs, not in our own."""
        return self.where[0].startswith("examples-")

    def explains(self, difference: Difference) -> bool:
        """Whether this is why."""
        return any(fnmatchcase(difference.place, pattern) for pattern in self.where)


DECISIONS: Final[tuple[Decision, ...]] = (
    Decision(
        there="A dict that is mapped over loses its order on PostgreSQL: the keys come back sorted.",
        here="The order of the dict is kept.",
        reason="A dict has an order, and the database is no reason to change it.",
        where=("mapping_values: map_xcoms/r1 xcoms/of_dict[[]?]/return_value",),
    ),
    Decision(
        there="`zip()` over a dict gives `NOTSET` in place of its pairs.",
        here="It gives the pairs, as `expand()` over a dict does.",
        reason="A bug there.",
        where=("mapping_values: map_zip/r1 xcoms/of_dicts[[]?]/return_value",),
    ),
    Decision(
        there="An output inside the literal dicts of `expand_kwargs()` reaches the task as a reference.",
        here="It reaches the task as its value.",
        reason="A bug there: the same output given to `expand()` or `partial()` is resolved.",
        where=("mapping_values: map_kwargs/r1 xcoms/with_args[[]?]/return_value",),
    ),
    Decision(
        there="A mapped instance whose rendered `map_index_template` is longer than 250 characters fails.",
        here="It runs, and its name is kept.",
        reason="A name should not fail a task.",
        where=("mapping_labels: labels/r1 *long_name*",),
    ),
    Decision(
        there="The context of `on_skipped_callback` has no `exception`.",
        here="It has the `AirflowSkipException`.",
        reason="What it says is of use, and costs nothing.",
        where=("runs: callbacks/r1 told/gone",),
    ),
    Decision(
        there="`@daily` leaves out the tick at the start date if the next midnight does not exist (Cairo, 2023).",
        here="It is the first run.",
        reason="A bug there: no tick between start and end is to be lost.",
        where=("schedules: cairo_spring_daily/came?*",),
    ),
    Decision(
        there="Enums, bytes, `nan`, infinity and integers beyond 64 bits cannot be XComs: the task fails.",
        here="They come back as they were.",
        reason="XComs are kept in a form of their own that can hold them.",
        where=(
            "xcoms: xcom_own_classes/r1 *",
            "xcoms: xcom_values/r1 */big*",
            "xcoms: xcom_values/r1 */bytes*",
            "xcoms: xcom_values/r1 */nan*",
            "xcoms: xcom_values/r1 */infinite*",
        ),
    ),
    Decision(
        there="A Decimal loses its trailing zeros on the way through an XCom.",
        here="It keeps them.",
        reason="`Decimal('1.50')` and `Decimal('1.5')` are not the same figure.",
        where=("xcoms: xcom_values/r1 xcoms/decimal*",),
    ),
    Decision(
        there="States and trigger rules show as `DagRunState.RUNNING` or `TriggerRule.ALL_SUCCESS` in templates.",
        here="They show as `running` and `all_success`.",
        reason="That is what they are called everywhere else.",
        where=(
            "templates: names/r1 xcoms/*.task.trigger_rule/return_value",
            "templates: names/r1 xcoms/*.dag_run.state/return_value",
            "templates: names/r1 xcoms/*.ti.state/return_value",
        ),
    ),
    Decision(
        there="`{{ templates_dict }}` does not exist in templates.",
        here="It is None for tasks without one.",
        reason="It exists in the context, and no template of use asks for it.",
        where=("templates: names/r1 */n???.templates_dict*",),
    ),
    Decision(
        there="`{{ ti.pool }}` does not exist in templates.",
        here="It gives the pool.",
        reason="It is there to be read.",
        where=("templates: names/r1 */n???.ti.pool*",),
    ),
    Decision(
        there="`macros.ds_format_locale` is always there, with Babel.",
        here="It does not exist.",
        reason="It would need Babel, 30 MB, for one macro.",
        where=("templates: names/r1 */n???.macros.ds_format_locale*",),
    ),
    Decision(
        there="The context has a `task_state_store`.",
        here="It does not have it yet.",
        reason="Values that survive retries are not kept yet.",
        where=(
            "templates: arguments_of_context/r1 xcoms/by_keywords/return_value",
            "mapping_values: map_operators/r1 xcoms/product[[]?]/return_value",
        ),
    ),
    Decision(
        there="Example files that import `httpx`, `requests` or a helper module from Airflow's own wheel are read.",
        here="They are import errors that name what is missing.",
        reason="The libraries are not needed by Tradewind, and the wheel is not installed.",
        where=(
            "examples-core: examples-core/example_dag_decorator.py/- import",
            "examples-core: examples-core/tutorial_objectstorage.py/- import",
            "examples-core: examples-core/example*kubernetes_executor.py/- import",
            "examples-core: examples-core/plugins/listener_plugin.py/- import",
        ),
    ),
)

_EARLY: Final = "It cannot work; it is better said at once, with the line, than when the task runs."
_OLD: Final = "Files written for Airflow 2 run, with a warning that names the new form."

STRICTER: Final[dict[str, str]] = {
    "ids: the same DAG twice in one file": "One of the two would vanish without a word.",
    "arguments: a decorator on a class": _EARLY,
    "arguments: a callback that is none": _EARLY,
    "arguments: a template field that is no attribute": _EARLY,
    "arguments: an operator that forgets super().__init__": _EARLY,
    "arguments: op_args that is a text": "Each letter would be an argument, which nobody means.",
    "arguments: an owner that is a number": _EARLY,
    "dag: tags that are a text": "Each letter would be a tag, which nobody means.",
    "dag: max_active_runs of 0": "No run would ever start.",
    "dag: max_active_tasks of -1": "No task would ever start.",
    "dag: an end date before the start date": "No run would ever be due.",
    "dag: jinja settings that are no dict": _EARLY,
    "dag: a negative max_consecutive_failed_dag_runs": _EARLY,
    "schedule: the 31st of February": "No run would ever be due.",
    "schedule: a random second": "Two readings of the file would not agree on when the DAG is due.",
    "params: a name that is a number": _EARLY,
    "assets: extra that is no dict": _EARLY,
}
"""Wrong use that Airflow accepts when it reads the file and Tradewind refuses, with the reason."""

LOOSER: Final[dict[str, str]] = {
    "schedule: a cron timetable without a time zone": "UTC is meant.",
    "params: a required param of an argument in a decorated DAG": "Then it must be given for each run.",
    "dag: schedule_interval, as in old files": _OLD,
    "dag: timetable, as in old files": _OLD,
    "dag: concurrency, as in old files": _OLD,
    "dag: fail_stop, as in old files": _OLD,
    "code: an Airflow 2 import of the dummy operator": _OLD,
    "code: an Airflow 2 import of datasets": _OLD,
    "code: an Airflow 2 import of days_ago": _OLD,
    "code: an Airflow 2 import of the bash_operator module": _OLD,
}
"""What Airflow refuses and Tradewind accepts, with the reason."""


def unexplained(differences: Iterable[Difference]) -> list[Difference]:
    """Return those that no decision explains."""
    return [one for one in differences if not any(decision.explains(one) for decision in DECISIONS)]
