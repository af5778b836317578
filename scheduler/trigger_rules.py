"""May a task run, given how its upstreams stand? The 13 trigger rules, each judged as soon as its answer is certain.

Source: the documented rules of Airflow 3.3, and recordings of what it does where the documents are silent. Rules are
judged while upstreams still run, and a verdict is final: with a skip first and a failure later, ``all_success`` has
already become skipped and stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tradewind.run.view import UpstreamCounts


class Verdict(StrEnum):
    """What a rule says now."""

    WAIT = "wait"
    RUN = "run"
    SKIP = "skip"
    UPSTREAM_FAILED = "upstream_failed"


@dataclass(frozen=True, slots=True)
class Upstream:
    """All that a rule may look at. ``setups`` counts the direct upstreams that are setup tasks."""

    all: UpstreamCounts
    setups: UpstreamCounts

    @property
    def bad(self) -> int:
        return self.all.failed + self.all.upstream_failed

    @property
    def is_done(self) -> bool:
        return self.all.done >= self.all.total

    def when_done(self, verdict: Verdict) -> Verdict:
        return verdict if self.is_done else Verdict.WAIT


def judge(rule: str, upstream: Upstream) -> Verdict:
    """Return what ``rule`` says. A task without upstream runs under every rule.

    Raises:
        KeyError: no such rule; DAG files that name one are refused when they are parsed.
    """
    if upstream.all.total == 0:
        return Verdict.RUN
    return RULES[rule](upstream)


def _all_success(up: Upstream) -> Verdict:
    if up.bad:
        return Verdict.UPSTREAM_FAILED
    if up.all.skipped:
        return Verdict.SKIP
    return up.when_done(Verdict.RUN)


def _all_failed(up: Upstream) -> Verdict:
    return Verdict.SKIP if up.all.success or up.all.skipped else up.when_done(Verdict.RUN)


def _all_done(up: Upstream) -> Verdict:
    return up.when_done(Verdict.RUN)


def _all_done_min_one_success(up: Upstream) -> Verdict:
    if up.all.skipped:
        return Verdict.SKIP
    return up.when_done(Verdict.RUN if up.all.success else Verdict.UPSTREAM_FAILED)


def _all_done_setup_success(up: Upstream) -> Verdict:
    setups = up.setups
    if setups.total and setups.done >= setups.total and not setups.success:
        return Verdict.SKIP if setups.skipped == setups.total else Verdict.UPSTREAM_FAILED
    return up.when_done(Verdict.RUN)


def _one_success(up: Upstream) -> Verdict:
    if up.all.success:
        return Verdict.RUN
    return up.when_done(Verdict.UPSTREAM_FAILED if up.bad else Verdict.SKIP)


def _one_failed(up: Upstream) -> Verdict:
    return Verdict.RUN if up.bad else up.when_done(Verdict.SKIP)


def _one_done(up: Upstream) -> Verdict:
    return Verdict.RUN if up.all.success or up.all.failed else up.when_done(Verdict.SKIP)


def _none_failed(up: Upstream) -> Verdict:
    return Verdict.UPSTREAM_FAILED if up.bad else up.when_done(Verdict.RUN)


def _none_failed_min_one_success(up: Upstream) -> Verdict:
    if up.bad:
        return Verdict.UPSTREAM_FAILED
    return up.when_done(Verdict.RUN if up.all.success else Verdict.SKIP)


def _none_skipped(up: Upstream) -> Verdict:
    return Verdict.SKIP if up.all.skipped else up.when_done(Verdict.RUN)


def _all_skipped(up: Upstream) -> Verdict:
    return Verdict.SKIP if up.all.success or up.bad else up.when_done(Verdict.RUN)


def _always(_up: Upstream) -> Verdict:
    return Verdict.RUN


RULES: Final[Mapping[str, Callable[[Upstream], Verdict]]] = {
    "all_success": _all_success,
    "all_failed": _all_failed,
    "all_done": _all_done,
    "all_done_min_one_success": _all_done_min_one_success,
    "all_done_setup_success": _all_done_setup_success,
    "one_success": _one_success,
    "one_failed": _one_failed,
    "one_done": _one_done,
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": _none_skipped,
    "all_skipped": _all_skipped,
    "always": _always,
}
"""Every rule by the name that a DAG file gives it."""
