"""What does the shipper do, the process that copies logs to the log store? One below each process whose tasks write.

It is a process of its own so that neither a slow store nor its client can hold up tasks, and so that the last words of
tasks are shipped also when the process above is killed. It ends when that one has ended and all is shipped, or when the
store does not take it in time; whoever starts on this machine next ships what is left.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from executors.logs.shipping import Shipper
from executors.logs.spool import ShippedSpool, left_spools
from executors.logs.store import open_store
from executors.runner import linux
from tradewind.errors import TradewindError

log = logging.getLogger("tradewind.logs")

LOOK_SECONDS: Final = 0.5
"""Between two looks at logs that grow."""
LEFT_SECONDS: Final = 30.0
"""Between two looks for what others have left behind."""
LAST_SECONDS: Final = 60.0
"""How long it goes on when the process above has ended."""
_BELL_BYTES: Final = 65536


class Setup(msgspec.Struct, frozen=True):
    """What it is told at its start: one line of JSON on stdin, after which each byte means "look"."""

    base: str  # the log folder
    spool: str  # folder of the spool of the process above
    url: str
    options: dict[str, Any]
    removes: bool


def main() -> None:
    """Be the shipper."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s - %(message)s", level=logging.WARNING)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a service that is stopped stops all its processes: we end after ours
    linux.set_name(b"tw-shipper")
    linux.hide_from_others()  # tasks run under the same account, and we know the credentials of the store
    os.nice(5)  # tasks come first
    setup = msgspec.json.decode(_line(0), type=Setup)
    os.set_blocking(0, False)
    try:
        _serve(setup)
    except TradewindError as error:
        log.error("%s", error)
        sys.exit(1)
    os._exit(0)  # a thread that hangs in a call to the store must not hold us


def _line(fd: int) -> bytes:
    got = b""
    while not got.endswith(b"\n"):
        one = os.read(fd, 1)
        if not one:
            os._exit(0)  # the process above is gone already
        got += one
    return got


def _serve(setup: Setup) -> None:
    base = Path(setup.base)
    store = open_store(setup.url, setup.options)
    own = ShippedSpool(Path(setup.spool))
    shippers: dict[Path, tuple[ShippedSpool, Shipper]] = {}
    if not own.take():
        raise TradewindError(f"Another process ships what lies in {own.folder}, or the folder is gone.")
    shippers[own.folder] = own, Shipper(store, base, own, removes=setup.removes)
    left_at, last_at = 0.0, float("inf")
    while True:
        now = time.monotonic()
        if now >= left_at:
            left_at = now + LEFT_SECONDS
            for folder in left_spools(base):
                spool = ShippedSpool(folder)
                if folder not in shippers and spool.take_left():
                    shippers[folder] = spool, Shipper(store, base, spool, removes=setup.removes)
                else:
                    spool.close(is_done=False)
        is_alone = last_at != float("inf")
        for folder, (spool, shipper) in list(shippers.items()):
            is_left = folder != own.folder or (is_alone and spool.is_left())
            shipper.step(is_left=is_left)
            if is_left and not len(shipper):
                shipper.close()
                spool.close(is_done=True)
                del shippers[folder]
        if is_alone and (not shippers or now >= last_at):
            _give_up(shippers)
            return
        is_busy = any(len(shipper) for _, shipper in shippers.values())
        # Thousands of triggers may wait and say nothing: a look at them all costs a twentieth of the time at most.
        pause = max(LOOK_SECONDS, 20 * (time.monotonic() - now)) if is_busy else LEFT_SECONDS
        if is_alone:
            time.sleep(LOOK_SECONDS / 5)
        elif not _heard(pause):
            last_at = time.monotonic() + LAST_SECONDS


def _heard(seconds: float) -> bool:
    """Wait for the bell; False when the process above has ended."""
    if not select.select([0], [], [], seconds)[0]:
        return True
    try:
        return bool(os.read(0, _BELL_BYTES))
    except BlockingIOError:
        return True


def _give_up(shippers: dict[Path, tuple[ShippedSpool, Shipper]]) -> None:
    left = sum(len(shipper) for _, shipper in shippers.values())
    if left:
        log.error("%d logs stay on this machine until Tradewind is started here again.", left)


if __name__ == "__main__":
    main()
