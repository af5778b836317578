"""``python -m tests.chaos``: tell the long stories, one after another, and write down what they have shown."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import click
import psycopg
from psycopg import sql

from tests.chaos import faults, rabbit, report, story
from tests.chaos.ground import Ground
from tests.chaos.outside import Outside
from tests.chaos.second_host import SecondHost
from tests.support import postgres
from tests.support.waiting import wait_until
from tradewind.console.cluster.members import Size

SIZE = Size(schedulers=2, workers=2, triggerers=1, web_servers=2)


@click.command()
@click.option("--runs", default=1000, show_default=True, help="Runs of the story on Redis; a third of it on RabbitMQ.")
@click.option("--seed", default=1, show_default=True, help="Of the first story; the next one gets the next.")
@click.option("--story", "only", multiple=True, type=click.Choice(["redis", "rabbitmq"]), help="Only this. Repeatable.")
@click.option("--fault", "chosen", multiple=True, help="Only this fault. Repeatable.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the page here, e.g. docs/reliability.md.")
def main(runs: int, seed: int, only: tuple[str, ...], chosen: tuple[str, ...], out: Path | None) -> None:
    """Strike a cluster while it works, and check what must hold afterwards. Exit code 1: a law was broken."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was set up is taken down
    chapters: list[report.Chapter] = []
    with outside_server() as server:
        for name, told in (("redis", _on_redis), ("rabbitmq", _on_rabbitmq)):
            if not only or name in only:
                click.echo(f"Telling the story on {name} ...", err=True)
                chapters.append(told(server, runs, seed, chosen))
                seed += 1
                if out is not None:  # after each, so that an interruption leaves what there is
                    out.write_text(report.page(chapters), encoding="utf-8")
    click.echo(report.page(chapters))
    broken = {chapter.title: chapter.outcome.broken for chapter in chapters if chapter.outcome is not None}
    for title, laws in broken.items():
        for law, sentences in laws.items():
            click.echo(f"{title}: {law}\n  " + "\n  ".join(sentences), err=True)
    sys.exit(any(broken.values()))


def _on_redis(server: str, runs: int, seed: int, chosen: tuple[str, ...]) -> report.Chapter:
    title = "PostgreSQL, Redis and Celery, two hosts"
    about = (
        "Host 2, with a scheduler, a worker and a web server, has a network, a name, a clock (a minute ahead) and a "
        "disk for logs of its own."
    )
    missing = SecondHost.missing()
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        outside = stack.enter_context(_outside(server))
        meant = {**faults.EVERYWHERE, **faults.ON_REDIS}
        if missing:
            ground = stack.enter_context(Ground(folder, outside, size=SIZE, is_durable=True))
        else:
            host = stack.enter_context(SecondHost(folder))
            made = Ground(folder, outside, size=SIZE, is_durable=True, address=host.address, of_host=host.place)
            host.ground = made
            ground = stack.enter_context(made)
            meant |= {"cut_network": host.cut_network, "fill_disk": host.fill_disk}
        outcome = story.tell(ground, story.Plot(runs, seed, _only(meant, chosen), order=tuple(_only(meant, chosen))))
        _keep_output(ground, outcome)
    lacking = f"{missing}, for a second host with its network, clock and disk," if missing else ""
    return report.Chapter(title, about, outcome, lacking)


def _on_rabbitmq(server: str, runs: int, seed: int, chosen: tuple[str, ...]) -> report.Chapter:
    title, about = "RabbitMQ in its place", "The same on one host, with RabbitMQ as the broker."
    missing = rabbit.missing()
    if missing:
        return report.Chapter(title, about, None, missing)
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        outside = stack.enter_context(_outside(server))
        url = stack.enter_context(rabbit.virtual_host())
        ground = stack.enter_context(Ground(folder, outside, size=SIZE, is_durable=True, broker_url=url))
        meant = _only({**faults.EVERYWHERE, **rabbit.FAULTS}, chosen)
        outcome = story.tell(ground, story.Plot(max(1, runs // 3), seed, meant, order=tuple(meant)))
        _keep_output(ground, outcome)
    return report.Chapter(title, about, outcome)


def _keep_output(ground: Ground, outcome: story.Outcome) -> None:
    """Where a law was broken, keep what everybody printed, and say where and what."""
    if outcome.broken:
        kept = Path(tempfile.mkdtemp(prefix="broken-story-"))
        shutil.copytree(ground.folder / "output", kept / "output")
        faults_told = "".join(f"{one.at} {one.kind} {one.target}\n" for one in outcome.struck)
        (kept / "faults").write_text(faults_told)
        (kept / "laws").write_text("".join(f"{law}: {text}\n" for law, said in outcome.broken.items() for text in said))
        click.echo(f"A law was broken; what was said is kept in {kept}", err=True)


def _only(meant: dict[str, faults.Fault], chosen: tuple[str, ...]) -> dict[str, faults.Fault]:
    return {name: fault for name, fault in meant.items() if not chosen or name in chosen}


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # PostgreSQL does not run as root
        yield Path(name)


@contextmanager
def outside_server() -> Iterator[str]:
    """Give the address of a server that no fault touches, reached by a Unix socket from every network."""
    with _folder() as folder:
        (folder / "outside").mkdir()
        process, address = postgres.start(folder / "outside")
        url = address.replace("+psycopg", "")
        try:
            wait_until(lambda: _answers(url), 30, what="the server of the outside table")
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


@contextmanager
def _outside(server: str) -> Iterator[Outside]:
    name = f"outside_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    outside = Outside(server.replace("/postgres?", f"/{name}?"))
    try:
        yield outside
    finally:
        outside.close()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


if __name__ == "__main__":
    main()
