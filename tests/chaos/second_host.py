"""How does one machine become two hosts? The second has a network, a name, a clock and a disk for logs of its own.

Needs root on Linux, ``ip`` and a C compiler. Nothing of it is left behind.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.chaos.faults import LONG, Struck
from tests.chaos.ground import Ground
from tradewind.console.cluster.company import Member

CLOCK_SECONDS: Final = 60
"""How far the clock of the second host is ahead."""
DISK_MIB: Final = 48

_CLOCK: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t ahead(void) {
    const char *text = getenv("CHAOS_CLOCK_SECONDS");
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, at);
    if (!done && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += ahead();
    return done;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


class SecondHost:
    """The host of all processes whose names end in 2. A context manager; enter it before the ground."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"twc{os.getpid()}"
        self._net = f"10.213.{os.getpid() % 250}"
        self._disk, self._clock = folder / "disk", folder / "clock.so"
        self.address: Final = f"{self._net}.1"
        """Where the second host reaches the servers."""
        self.ground: Ground | None = None

    @staticmethod
    def missing() -> str:
        """Return what this machine lacks to be two, in words; empty when nothing."""
        if sys.platform != "linux":
            return "Linux"
        if os.geteuid() != 0:
            return "the rights of root"
        return ", ".join(name for name in ("ip", "unshare", "mount", "cc") if shutil.which(name) is None)

    def __enter__(self) -> SecondHost:
        (self._folder / "clock.c").write_text(_CLOCK)
        _do("cc", "-shared", "-fPIC", "-O1", "-o", str(self._clock), str(self._folder / "clock.c"), "-ldl")
        self._disk.mkdir()
        _do("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=755", "tmpfs", str(self._disk))
        ours, theirs = f"{self._name}a", f"{self._name}b"
        _do("ip", "netns", "add", self._name)
        _do("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self._name)
        _do("ip", "addr", "add", f"{self.address}/24", "dev", ours)
        _do("ip", "link", "set", ours, "up")
        for words in (
            ("addr", "add", f"{self._net}.2/24", "dev", theirs),
            ("link", "set", theirs, "up"),
            ("link", "set", "lo", "up"),
        ):
            _do("ip", "-n", self._name, *words)
        return self

    def __exit__(self, *_exception: object) -> None:
        for words in (
            ("ip", "link", "del", f"{self._name}a"),
            ("ip", "netns", "del", self._name),
            ("umount", "-l", str(self._disk)),
        ):
            with suppress(subprocess.CalledProcessError):
                _do(*words)

    def place(self, member: Member) -> Member:
        """Return the process as it is started on its host."""
        if not member.name.endswith("-2"):
            return member
        assert self.ground is not None
        name_it = ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', "chaos-2")
        environ = {
            **member.environ,
            **self.ground.servers_at(self.address),
            "TRADEWIND__LOGGING__BASE_LOG_FOLDER": str(self._disk / "logs"),
            "LD_PRELOAD": str(self._clock),
            "CHAOS_CLOCK_SECONDS": str(CLOCK_SECONDS),
        }
        return replace(member, command=(*name_it, "ip", "netns", "exec", self._name, *member.command), environ=environ)

    # --- faults ------------------------------------------------------------------------------------------------------

    def cut_network(self, ground: Ground, chance: random.Random) -> Struck | None:
        """Packets between the second host and all servers are lost without a word."""
        struck = Struck("network cut for longer than the lease", "host 2", ground.outside.now())
        struck.hit = [effect for name in self._mine(ground) for effect in ground.at_work(name)]
        _do("ip", "link", "set", f"{self._name}a", "down")
        struck.heal, struck.heal_after = lambda: _do("ip", "link", "set", f"{self._name}a", "up"), LONG
        return struck

    def fill_disk(self, ground: Ground, chance: random.Random) -> Struck | None:
        """No log of the second host can grow."""
        struck = Struck("disk full for logs", "host 2", ground.outside.now())
        struck.hit = [effect for name in self._mine(ground) for effect in ground.at_work(name)]
        filler = self._disk / "filler"
        if filler.exists():
            return None
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        struck.heal, struck.heal_after = lambda: filler.unlink(missing_ok=True), 4.0
        return struck

    @staticmethod
    def _mine(ground: Ground) -> list[str]:
        return [name for name in ground.members if name.endswith("-2")]


def _do(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
