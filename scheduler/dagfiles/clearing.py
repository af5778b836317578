"""May this be stored? What a DAG file was told in secret must not stand in its specs, errors and warnings.

Texts for people are masked. An id, a schedule or a parameter would mean something else with a part of it masked, so a
DAG that has a secret there is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from executors.runner.masking import Masker
from tradewind.errors import DagError
from tradewind.model.spec import DagSpec, GroupSpec, ParamSpec, TaskSpec, TimetableSpec

_FOR_PEOPLE: Final = frozenset({"description", "display_name", "doc_md", "tooltip", "edge_labels", "owner_links"})
_FIELDS: Final = frozenset(
    name for kind in (DagSpec, TaskSpec, GroupSpec, ParamSpec, TimetableSpec) for name in kind.__struct_fields__
)
_MIN_LENGTH: Final = 4
"""A shorter secret stands in half of all words by chance."""


def cleared(spec: DagSpec, masker: Masker, public: str) -> DagSpec:
    """Return ``spec`` without the secrets that ``masker`` knows.

    Args:
        public: what is known to all anyway, the text of the file among it. A secret that stands in there, say a
            password ``postgres``, does not make a task ``load_postgres`` secret.

    Raises:
        DagError: one stands where it cannot be masked.
    """
    if not masker.secrets:
        return spec
    plain = msgspec.to_builtins(spec)
    telling = [secret for secret in masker.secrets if len(secret) >= _MIN_LENGTH and secret not in public]
    for place, value in _meant_for_programs(plain, ""):
        if any(secret in value for secret in telling):
            raise DagError(
                f"DAG {masker.redact(spec.dag_id)!r} has a secret in {masker.redact(place)}, which it was given while "
                "its file was read (a variable or connection); it would be stored for all to see. Ask for it inside a "
                "task, or write {{ var.value.NAME }} or {{ conn.NAME.password }} in a template."
            )
    return msgspec.convert(_masked(plain, masker), DagSpec)


def _meant_for_programs(value: Any, place: str, names: frozenset[str] = _FOR_PEOPLE) -> Iterator[tuple[str, str]]:
    """Give every text and number that is not for people, with its place; keys that a user chose are such texts, too.

    Args:
        names: of the fields that are for people, here.
    """
    if isinstance(value, str | int | float):
        yield place, str(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            where = f"{place}.{key}" if place else str(key)
            if key not in _FIELDS:
                yield where, str(key)
            if key not in names:
                yield from _meant_for_programs(item, where, _below(key, names))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _meant_for_programs(item, f"{place}[{number}]", names)


def _masked(value: Any, masker: Masker, names: frozenset[str] = _FOR_PEOPLE, *, for_people: bool = False) -> Any:
    if isinstance(value, str):
        return masker.redact(value) if for_people else value
    if isinstance(value, dict):
        return {
            key: _masked(item, masker, _below(key, names), for_people=for_people or key in names)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(item, masker, names, for_people=for_people) for item in value]
    return value


def _below(key: str, names: frozenset[str]) -> frozenset[str]:
    """Return the fields for people below ``key``. In params, any name may be one that the user chose for data."""
    return frozenset() if key == "params" else names
