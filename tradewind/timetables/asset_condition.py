"""Does what came in hold a DAG's condition over assets? Pure evaluation of plain data, in the form that Airflow shows.

A condition is one of ``{"asset": {"name", "uri", "group"}}``, ``{"asset_ref": {"name"}}``, ``{"asset_ref": {"uri"}}``,
``{"alias": {"name", "group"}}``, ``{"all": [...]}`` and ``{"any": [...]}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Condition = Mapping[str, Any]
Key = tuple[str, str]
"""Name and URI of an asset."""


@dataclass(frozen=True, slots=True)
class Known:
    """What references and aliases mean at the moment of the evaluation.

    Attributes:
        names, uris: of active assets: the asset that has the name, or the URI.
        aliases: the assets that were ever reported through an alias.
    """

    names: Mapping[str, Key] = field(default_factory=dict)
    uris: Mapping[str, Key] = field(default_factory=dict)
    aliases: Mapping[str, frozenset[Key]] = field(default_factory=dict)


def holds(condition: Condition, is_updated: Callable[[Key], bool], known: Known) -> bool:
    """Return whether the condition holds. All of nothing holds, any of nothing does not; an unknown name never does."""
    if "all" in condition:
        return all(holds(one, is_updated, known) for one in condition["all"])
    if "any" in condition:
        return any(holds(one, is_updated, known) for one in condition["any"])
    return any(is_updated(key) for key in _meant(condition, known))


def missing(condition: Condition, is_updated: Callable[[Key], bool], known: Known) -> list[str]:
    """Return, in words, what still has to be updated for the condition to hold; empty when it holds.

    What can be chosen from is joined with "or", as in ``"'a' or ('b' and 'c')"``.
    """
    if holds(condition, is_updated, known):
        return []
    if "all" in condition:
        return [text for one in condition["all"] for text in missing(one, is_updated, known)]
    if "any" in condition:
        choices = [_joined(missing(one, is_updated, known)) for one in condition["any"]]
        return [" or ".join(choices)] if choices else []
    return [_name(condition)]


def leaves(condition: Condition) -> Iterator[Condition]:
    """Give every asset, reference and alias of the condition, from left to right."""
    if "all" in condition or "any" in condition:
        for one in condition.get("all") or condition.get("any") or ():
            yield from leaves(one)
    else:
        yield condition


def _meant(leaf: Condition, known: Known) -> frozenset[Key]:
    if "asset" in leaf:
        return frozenset([(leaf["asset"]["name"], leaf["asset"]["uri"])])
    if "alias" in leaf:
        return known.aliases.get(leaf["alias"]["name"], frozenset())
    ref = leaf["asset_ref"]
    found = known.names.get(ref["name"]) if "name" in ref else known.uris.get(ref["uri"])
    return frozenset() if found is None else frozenset([found])


def _name(leaf: Condition) -> str:
    if "alias" in leaf:
        return f"an asset of alias {leaf['alias']['name']!r}"
    facts = leaf.get("asset") or leaf["asset_ref"]
    return repr(facts.get("name") or facts["uri"])


def _joined(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({' and '.join(texts)})"
