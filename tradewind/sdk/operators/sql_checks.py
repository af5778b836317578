"""Is what stands in a database as it should be? Checks that fail the task when it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.operators.sql import BaseSQLOperator

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

_RATIOS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "max_over_min": lambda now, then: max(now, then) / min(now, then),
    "relative_diff": lambda now, then: abs(now - then) / then,
}


class SQLCheckOperator(BaseSQLOperator):
    """Fails unless ``sql`` gives a row of which each value is true: not 0, not empty, not NULL."""

    template_fields: Sequence[str] = ("sql", *BaseSQLOperator.template_fields)
    template_ext: Sequence[str] = (".hql", ".sql")
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}
    ui_color = "#fff7e6"

    def __init__(self, *, sql: str, parameters: Iterable[Any] | Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql: Any = sql
        self.parameters = parameters

    def execute(self, context: Context) -> None:
        """Ask, and judge."""
        row = self.get_db_hook().get_first(self.sql, self.parameters)
        self.log.info("Record: %s", row)
        if not row:
            self.fail(f"the query gave no row: {self.sql}")
        if not all(row):
            self.fail(f"a value is not true: {row}. Query: {self.sql}")


class SQLValueCheckOperator(BaseSQLOperator):
    """Fails unless each value of the row that ``sql`` gives is ``pass_value``.

    Args:
        pass_value: a number, or a text.
        tolerance: how far numbers may be off, as a part of it: 0.1 is a tenth.
    """

    template_fields: Sequence[str] = ("sql", "pass_value", *BaseSQLOperator.template_fields)
    template_ext: Sequence[str] = (".hql", ".sql")
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}
    ui_color = "#fff7e6"

    def __init__(
        self,
        *,
        sql: str,
        pass_value: Any,
        tolerance: float | None = None,
        parameters: Iterable[Any] | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql: Any = sql
        self.pass_value: Any = str(pass_value)
        self.tolerance = tolerance
        self.parameters = parameters

    def execute(self, context: Context) -> None:
        """Ask, and compare."""
        row = self.get_db_hook().get_first(self.sql, self.parameters)
        if not row:
            self.fail(f"the query gave no row: {self.sql}")
        wanted = _number(self.pass_value)
        if wanted is None:
            is_good = all(str(value) == self.pass_value for value in row)
        else:
            off = abs(wanted) * (self.tolerance or 0)
            numbers = [_number(value) for value in row]
            is_good = all(number is not None and wanted - off <= number <= wanted + off for number in numbers)
        if not is_good:
            within = f" within {self.tolerance:.0%}" if self.tolerance else ""
            self.fail(f"expected {self.pass_value}{within}, and the query gave {row}. Query: {self.sql}")


class SQLThresholdCheckOperator(BaseSQLOperator):
    """Fails unless the first value that ``sql`` gives lies between two bounds, these included.

    Args:
        min_threshold, max_threshold: numbers, or queries that give one.
    """

    template_fields: Sequence[str] = ("sql", "min_threshold", "max_threshold", *BaseSQLOperator.template_fields)
    template_ext: Sequence[str] = (".hql", ".sql")
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}
    ui_color = "#fff7e6"

    def __init__(self, *, sql: str, min_threshold: Any, max_threshold: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql: Any = sql
        self.min_threshold: Any = min_threshold
        self.max_threshold: Any = max_threshold

    def execute(self, context: Context) -> None:
        """Ask, and compare."""
        hook = self.get_db_hook()
        value = self._first(hook, self.sql)
        low, high = (self._bound(hook, bound) for bound in (self.min_threshold, self.max_threshold))
        if not low <= value <= high:
            self.fail(f"{value} is not between {low} and {high}. Query: {self.sql}")

    def _bound(self, hook: Any, bound: Any) -> float:
        number = _number(bound)
        return self._first(hook, bound) if number is None else number

    def _first(self, hook: Any, sql: str) -> float:
        row = hook.get_first(sql)
        number = _number(row[0]) if row else None
        if number is None:
            self.fail(f"the query gave no number, but {row}: {sql}")
        return number


class SQLIntervalCheckOperator(BaseSQLOperator):
    """Fails when figures of a table are too far from those of some days before.

    Args:
        table: may have a schema before a dot.
        metrics_thresholds: expressions such as ``COUNT(*)``, each with the ratio that it must stay below.
        date_filter_column: the column that is compared with the run's ``ds``.
        days_back: with how many days before.
        ratio_formula: ``max_over_min``, or ``relative_diff``.
        ignore_zero: a figure of 0 is good; False: it is not.
    """

    template_fields: Sequence[str] = ("sql1", "sql2", *BaseSQLOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql1": "sql", "sql2": "sql"}
    ui_color = "#fff7e6"

    def __init__(
        self,
        *,
        table: str,
        metrics_thresholds: Mapping[str, float],
        date_filter_column: str = "ds",
        days_back: int = -7,
        ratio_formula: str = "max_over_min",
        ignore_zero: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if ratio_formula not in _RATIOS:
            raise DagArgumentError(
                f"{self.who}: ratio_formula {ratio_formula!r} does not exist. It must be one of {', '.join(_RATIOS)}."
            )
        self.ratio_formula, self.ignore_zero, self.days_back = ratio_formula, ignore_zero, -abs(days_back)
        self.metrics_thresholds = dict(sorted(metrics_thresholds.items()))
        question = f"SELECT {', '.join(self.metrics_thresholds)} FROM {table} WHERE {date_filter_column}="
        self.sql1: Any = f"{question}'{{{{ ds }}}}'"
        self.sql2: Any = f"{question}'{{{{ macros.ds_add(ds, {self.days_back}) }}}}'"

    def execute(self, context: Context) -> None:
        """Ask for both days, and compare."""
        hook = self.get_db_hook()
        now, then = hook.get_first(self.sql1), hook.get_first(self.sql2)
        for row, sql in ((now, self.sql1), (then, self.sql2)):
            if not row:
                self.fail(f"the query gave no row: {sql}")
        bad = []
        for (metric, threshold), new, old in zip(self.metrics_thresholds.items(), now, then, strict=True):
            ratio = _RATIOS[self.ratio_formula](new, old) if new and old else None
            self.log.info("%s: %s, %s days ago %s, ratio %s", metric, new, -self.days_back, old, ratio)
            if not (self.ignore_zero if ratio is None else ratio < threshold):
                bad.append(f"{metric} is {new} and was {old}; their {self.ratio_formula} must be below {threshold}")
        if bad:
            self.fail("; ".join(bad))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
