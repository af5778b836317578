"""``tradewind config``: what is configured, and where each value comes from."""

from __future__ import annotations

import os
import re

import click

from executors.runner.masking import MASK
from tradewind.config import SECTIONS, Config, load_config, with_secrets
from tradewind.config.option import OptionInfo, options_of
from tradewind.errors import NotFound
from tradewind.terminal.output import talk


def get_value(section: str, option: str) -> None:
    """Print the value of one option."""
    _check_section(section)
    known = dict(options_of(SECTIONS[section]))
    if option not in known:
        raise NotFound("Option", option, known, f"Known: {', '.join(known)}.", within=f"in [{section}]")
    config = load_config(os.environ)
    if known[option].is_secret:
        config = with_secrets(config)
    click.echo(config.texts[section, option])


def list_options(
    section: str | None,
    include_sources: bool,
    include_descriptions: bool,
    include_env_vars: bool,
    defaults: bool,
    comment_out_everything: bool,
    show_values: bool,
    hide_sensitive: bool,
) -> None:
    """List the options as they stand in airflow.cfg."""
    if section is not None:
        _check_section(section)
    config = load_config(os.environ)
    for warning in config.warnings:
        talk(f"Warning: {warning}")
    mark = "# " if comment_out_everything or defaults else ""
    for name, kind in SECTIONS.items():
        if section is not None and name != section:
            continue
        click.echo(f"[{name}]")
        for option, info in options_of(kind):
            for line in _remarks(config, name, option, info, include_descriptions, include_env_vars, include_sources):
                click.echo(f"# {line}")
            value = info.default if defaults else config.texts[name, option]
            if info.is_secret and not defaults and (hide_sensitive or not show_values):
                value = _mask(value)
            click.echo(f"{mark}{option} = {value}".rstrip())
        click.echo()


def _mask(value: str) -> str:
    """Return a secret as it may be shown: of an address only its password is secret."""
    if "://" in value:
        return re.sub(r"(://[^/@]*?):[^/]*@", rf"\1:{MASK}@", value)
    return MASK if value else value


def _remarks(
    config: Config, section: str, option: str, info: OptionInfo, describe: bool, variable: bool, source: bool
) -> list[str]:
    lines: list[str] = []
    if describe:
        lines.append(info.doc)
    if variable:
        lines.append(f"Variable: TRADEWIND__{section.upper()}__{option.upper()}")
    if source:
        found = config.sources[section, option]
        lines.append(f"Source: {found.kind}{f' {found.name}' if found.name else ''}")
    return lines


def _check_section(section: str) -> None:
    if section not in SECTIONS:
        raise NotFound("Section", section, SECTIONS, f"Known: {', '.join(SECTIONS)}.")
