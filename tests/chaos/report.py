"""How is told what the stories have shown? As ``docs/reliability.md``, written by the stories themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Final

from benchmarks.report import machine
from tests.chaos import laws, workload
from tests.chaos.ground import LEASE_SECONDS
from tests.chaos.story import Outcome, summary
from tradewind import __version__

COMMAND: Final = "make chaos"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One story as it goes into the page. ``missing``: why it was not told, or not whole."""

    title: str
    about: str
    outcome: Outcome | None = None
    missing: str = ""


def page(chapters: Sequence[Chapter]) -> str:
    """Return the page."""
    told = [chapter.outcome for chapter in chapters if chapter.outcome is not None]
    recoveries = [value for one in told for values in one.recoveries.values() for value in values]
    stalls = [value for one in told for values in one.stalls.values() for value in values]
    return f"""# Reliability

Written by `{COMMAND}` on {datetime.now(UTC):%Y-%m-%d}, Tradewind {__version__}. A cluster as
[`tradewind cluster`](cluster.md) makes it (PostgreSQL, two schedulers, two Celery workers, a triggerer, two web
servers) runs a workload while everything under it is struck. Then the laws are checked, from the event log and from a
table outside in which every task leaves a row when it starts and one when it has done its work.

**{_sums(told)}: {_losses(told)}.**
From a fault until what it had hit was done or started again: {_spread(recoveries)}.
From a fault until anything started anywhere: {_spread(stalls)}.

{chr(10).join(_chapter(chapter) for chapter in chapters)}
## The laws

Each was seen to fail by a deliberate error in the evidence of a story that kept it; the tests hold that
(`tests/chaos/test_laws.py`).

{chr(10).join(f"- **{name}.** {_first_line(law)}" for name, law in laws.LAWS.items())}

Limits are checked after every single commit, in the order in which commits became visible (`track_commit_timestamp`).
They are: parallelism {workload.PARALLELISM}, a pool of {workload.POOL_SLOTS}, `max_active_runs` of every DAG,
`max_active_tasks` of one, and a task of which one instance may be active over all runs.

## How it is done

- The lease is {LEASE_SECONDS:g} s (30 s as shipped), so that many losses fit into little time: what needs a lease to
  run out takes as much longer with a longer one. A process that is found dead by another on its own host is not waited
  for.
- Faults are chosen by chance, with a seed; the next strikes as soon as 20 tasks have started or ended since the last
  one, a fifth of them right upon another. What is killed is started again after a second, as systemd would do it.
- The runs: chains whose tasks check the values they were handed, mapped tasks in a narrow pool, tasks that fail at
  first, deferred tasks, sensors that look again, tasks of which one runs at a time; two queues.
- A task that is killed by itself uses up a try and is tried again; one that is lost with its worker does not. Its work
  may have been done before it was lost: an attempt is never started twice, a *task* may be, and must be safe to repeat.
- The harness is in `tests/chaos/`. `make test` tells a short story, `{COMMAND}` tells these.

## Machine

{chr(10).join(f"- {line}" for line in machine())}
"""


def _chapter(chapter: Chapter) -> str:
    head = f"## {chapter.title}\n\n{chapter.about}\n"
    outcome = chapter.outcome
    if outcome is None:
        return f"{head}\nNot told here: {chapter.missing} is missing.\n"
    ended = summary(outcome)
    kinds = Counter(one.kind for one in outcome.struck)
    lines = [
        "| fault | times | tasks hit | hit to going on, p50 | p99 | until anything starts, p50 | p99 |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in sorted(kinds):
        hits, stalls = outcome.recoveries.get(kind, []), outcome.stalls.get(kind, [])
        cells = (_seconds(hits, 0.5), _seconds(hits, 0.99), _seconds(stalls, 0.5), _seconds(stalls, 0.99))
        lines.append(f"| {kind} | {kinds[kind]} | {len(hits)} | {' | '.join(cells)} |")
    verdicts = [
        f"| {name} | {'held' if name not in outcome.broken else f'**broken: {len(outcome.broken[name])}**'} |"
        for name in laws.LAWS
    ]
    words = ", ".join(f"{count} {name}" for name, count in sorted(ended.items(), key=lambda item: -item[1]))
    note = f"\nNot struck here, since {chapter.missing} is missing.\n" if chapter.missing else ""
    return f"""{head}{note}
{len(outcome.evidence.runs)} runs with {len(outcome.evidence.tasks)} tasks in {outcome.seconds:.0f} s,
seed {outcome.plot.seed}; {len(outcome.evidence.attempts)} attempts: {words}. {_undone(outcome)}

{chr(10).join(lines)}

| law | |
|---|---|
{chr(10).join(verdicts)}
"""


def _sums(told: Sequence[Outcome]) -> str:
    struck, runs, attempts, effects = (
        sum(count)
        for count in zip(
            *((len(o.struck), len(o.evidence.runs), len(o.evidence.attempts), len(o.evidence.effects)) for o in told),
            strict=True,
        )
    )
    return f"{struck} faults, {runs} runs, {attempts} attempts, {effects} effects counted outside"


def _undone(outcome: Outcome) -> str:
    if outcome.never:
        return f"**{len(outcome.never)} tasks that were hit were never done.**"
    return "Everything that was hit was done in the end."


def _losses(told: Sequence[Outcome]) -> str:
    broken = sum(len(sentences) for one in told for sentences in one.broken.values())
    return "no law was broken" if not broken else f"{broken} violations of laws, shown below"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "nothing was measured"
    return f"p50 {_seconds(values, 0.5)}, p99 {_seconds(values, 0.99)}, at most {max(values):.1f} s"


def _seconds(values: Sequence[float], share: float) -> str:
    if not values:
        return "–"
    ordered = sorted(values)
    value = median(ordered) if share == 0.5 else ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    return f"{value:.1f} s"


def _first_line(law: object) -> str:
    return (law.__doc__ or "").splitlines()[0]
