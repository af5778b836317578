"""How does a task read and write Variables? ``Variable.get``, and ``var.value.x`` and ``var.json.x`` in templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tradewind.sdk import reach
from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from tradewind.sdk.channel import TaskChannel

_UNSET: Final = object()


class Variable:
    """Values that are set by people and asked for by name: by a task that runs, or by a DAG file.

    ``TRADEWIND_VAR_<KEY>`` and ``AIRFLOW_VAR_<KEY>`` in the environment come before the stored ones.
    """

    def __init__(self, key: str | None = None, value: Any = None, description: str | None = None) -> None:
        self.key, self.value, self.description = key, value, description

    @classmethod
    def get(cls, key: str, default: Any = _UNSET, deserialize_json: bool = False, default_var: Any = _UNSET) -> Any:
        """Return the value of ``key``, as text or read as JSON.

        Raises:
            KeyError: there is none and no default was given (``VariableNotFound``).
        """
        text = reach.variable_text(key)
        if text is None:
            fallback = default if default is not _UNSET else default_var
            if fallback is _UNSET:
                raise VariableNotFound(key)
            return fallback
        return _from_json(key, text) if deserialize_json else text

    @classmethod
    def set(cls, key: str, value: Any, description: str | None = None, serialize_json: bool = False) -> None:
        """Create or replace a variable, in a task that runs."""
        text = json.dumps(value, indent=2) if serialize_json else str(value)
        reach.channel(f"Variable.set({key!r})").set_variable(key, text, description)

    @classmethod
    def setdefault(cls, key: str, default: Any, description: str | None = None, deserialize_json: bool = False) -> Any:
        """Return the value of ``key``; when there is none, set it to ``default`` first."""
        found = cls.get(key, default=None, deserialize_json=deserialize_json)
        if found is not None:
            return found
        if default is None:
            raise ValueError("Variable.setdefault needs a default that is not None.")
        cls.set(key, default, description, serialize_json=deserialize_json)
        return default

    @classmethod
    def delete(cls, key: str) -> int:
        """Remove a variable, in a task that runs; returns how many there were (0 or 1)."""
        return int(reach.channel(f"Variable.delete({key!r})").delete_variable(key))


class VariableNotFound(AirflowException, KeyError):
    """No variable has this key."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"Variable {key!r} does not exist. Create it with `tradewind variables set {key} VALUE`, or pass a default."
        )

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.key,))


def _from_json(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise AirflowException(
            f"Variable {key!r} is not JSON: {error}. Set it again as JSON, or read it as text."
        ) from None


class VariableAccessor:
    """``var.value`` or ``var.json`` in templates: ``{{ var.value.name }}``, ``{{ var.json.get("name", {}) }}``."""

    def __init__(self, channel: TaskChannel, *, as_json: bool = False) -> None:
        self._channel, self._as_json = channel, as_json

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):  # Jinja and copy ask for such; no variable is called that
            raise AttributeError(key)
        return self[key]

    def __getitem__(self, key: str) -> Any:
        with reach.through(self._channel):
            return Variable.get(key, deserialize_json=self._as_json)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a variable, or ``default`` when there is none."""
        with reach.through(self._channel):
            return Variable.get(key, default=default, deserialize_json=self._as_json)

    def __repr__(self) -> str:
        return "<variables>"
