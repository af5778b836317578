"""How is one trigger run? Made, run until its first event, and cleaned up, whatever it does."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import inspect
import logging
import traceback
from collections.abc import Callable
from typing import Any, Final

from scheduler.triggerer import finding
from scheduler.triggerer.finding import Finder
from scheduler.triggerer.protocol import Add, Failed, Fired
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.triggers.base import TriggerEvent, WaitingTask
from tradewind.xcom.event_text import Said, write_event

log = logging.getLogger("tradewind.triggers")

CLEANUP_SECONDS: Final = 30.0
"""How long cleanup() and on_kill() of a trigger may take."""


class Run:
    """One trigger while it runs. ``tell`` gets what it comes to: exactly one message, unless it is
    cancelled; of one that goes on, each of its events before."""

    def __init__(self, add: Add, finder: Finder, tell: Callable[[Fired | Failed], None]) -> None:
        self.add = add
        self.is_killed = False  # the task was given up: the trigger ends what it watches as well
        self._finder, self._tell = finder, tell
        self._trigger: Any = None

    async def run(self) -> None:
        """Do it all. Raises only what asyncio needs: that it was cancelled."""
        try:
            self._tell(await self._outcome())
        except asyncio.CancelledError:
            if self.is_killed:
                await self._call("on_kill")
            raise
        except BaseException as error:  # the edge of user code: SystemExit and its kin end a trigger, not the process
            log.error("The trigger failed:\n%s", _trace(error))
            self._tell(Failed(self.add.wait, _trace(error)))
        finally:
            await self._call("cleanup")

    async def _outcome(self) -> Fired | Failed:
        add = self.add
        self._trigger = trigger = await asyncio.to_thread(self._finder.make, add)
        task = WaitingTask(str(add.wait), add.dag_id, add.run_id, add.task_id, add.map_index, add.try_number)
        trigger.task_instance = task
        trigger.trigger_id = str(add.wait)
        events = trigger.run()
        if inspect.iscoroutine(events) or not hasattr(events, "__aiter__"):
            if inspect.iscoroutine(events):
                events.close()
            raise AirflowException(
                f"{type(trigger).__name__}.run() must be an async generator: write `async def run(self)` with a "
                "`yield TriggerEvent(...)` in it."
            )
        try:
            async for event in events:
                log.info("The trigger fired: %r", event)
                if not add.goes_on:
                    return Fired(add.wait, _text(event))
                self._tell(Fired(add.wait, _text(event)))
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()
        if add.goes_on:
            return Failed(add.wait, "")
        return Failed(add.wait, f"{type(trigger).__name__} ended without an event, so its task would wait for ever.")

    async def _call(self, name: str) -> None:
        """Call a hook of the trigger; what goes wrong in it is logged and changes nothing."""
        hook = getattr(self._trigger, name, None)
        if hook is None:
            return
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                await hook()
        except BaseException as error:
            log.warning("%s() of the trigger failed:\n%s", name, _trace(error))


def _text(event: Any) -> str:
    if isinstance(event, TriggerEvent):
        return write_event(event.said())
    if hasattr(event, "payload"):  # an event class of somebody's own
        return write_event(Said(event.payload))
    raise AirflowException(f"A trigger must yield a TriggerEvent, and this one yielded {event!r}.")


def _trace(error: BaseException) -> str:
    """Return the traceback, from the trigger's own code on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None and frames.tb_frame.f_code.co_filename in _OURS:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


_OURS: Final = (__file__, finding.__file__, asyncio.threads.__file__, concurrent.futures.thread.__file__)
