"""What is the configuration of this process? Defaults, then ``airflow.cfg``, then the environment, checked."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tradewind.config.foreign import RENAMED, explain_unknown
from tradewind.config.keys import read_secrets
from tradewind.config.option import OptionInfo, folder, optional_folder, options_of
from tradewind.config.sections import SECTIONS, Config, Source
from tradewind.errors import UsageError, did_you_mean

FILE_NAME: Final = "airflow.cfg"
PREFIXES: Final = ("AIRFLOW__", "TRADEWIND__")
"""Of environment variables; the later one wins."""

_Key = tuple[str, str]
_Raw = dict[_Key, tuple[str, Source]]


def home_folder(environ: Mapping[str, str]) -> Path:
    """Return the home folder: ``$TRADEWIND_HOME``, else ``$AIRFLOW_HOME``, else ``~/tradewind``. It need not exist."""
    for name in ("TRADEWIND_HOME", "AIRFLOW_HOME"):
        if environ.get(name):
            return Path(_expand_user(environ[name], environ)).absolute()
    return Path(_expand_user("~/tradewind", environ)).absolute()


def load_config(environ: Mapping[str, str], home: Path | None = None) -> Config:
    """Return the configuration. Reads files, writes nothing, creates no folder.

    Args:
        environ: usually ``os.environ``. ``TRADEWIND__SECTION__OPTION`` beats ``AIRFLOW__SECTION__OPTION``, which beats
            the file. ``TRADEWIND_CONFIG`` (or ``AIRFLOW_CONFIG``) names another file than ``airflow.cfg`` in the home.
        home: the home folder; None asks the environment.

    Raises:
        UsageError: the file cannot be read, a value is wrong, or an option of the file or of a ``TRADEWIND__`` variable
            is unknown. Options of Airflow that mean nothing here are named in :attr:`Config.warnings` instead.
    """
    home = home_folder(environ) if home is None else home.absolute()
    warnings: list[str] = []
    given: _Raw = {}
    _read_secret_files(home, given)
    _read_file(_config_file(environ, home), given, warnings)
    _read_environment(environ, given, warnings)
    return _build(home, environ, given, warnings)


def _config_file(environ: Mapping[str, str], home: Path) -> Path | None:
    for name in ("TRADEWIND_CONFIG", "AIRFLOW_CONFIG"):
        if environ.get(name):
            path = Path(_expand_user(environ[name], environ)).absolute()
            if not path.is_file():
                raise UsageError(f"{name} names {path}, which is no file. Correct it, or unset {name}.")
            return path
    path = home / FILE_NAME
    return path if path.is_file() else None


def _read_secret_files(home: Path, given: _Raw) -> None:
    for key, (value, path) in read_secrets(home).items():
        given[key] = (value, Source("generated", str(path)))


def _read_file(path: Path | None, given: _Raw, warnings: list[str]) -> None:
    if path is None:
        return
    parser = configparser.ConfigParser(interpolation=None, default_section="\0none")
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"The configuration file {path} cannot be read: {reason}. Correct it and start again."
        ) from error
    foreign: list[str] = []
    renamed: _Raw = {}
    for section in parser.sections():
        for name, value in parser.items(section):
            key = _settle(section, name, f"[{section}] {name} in {path}", warnings, foreign)
            if key is not None:
                # Airflow's parser reads %% as %, so files that come from there double it.
                entry = (value.strip().replace("%%", "%"), Source("file", str(path)))
                (given if key == (section, name) else renamed)[key] = entry
    for key, entry in renamed.items():
        if key not in given or given[key][1].kind != "file":  # an old name never beats the new one in the same file
            given[key] = entry
    if foreign:
        warnings.append(f"Options of Airflow in {path} that mean nothing here: {', '.join(foreign)}.")


def _read_environment(environ: Mapping[str, str], given: _Raw, warnings: list[str]) -> None:
    foreign: list[str] = []
    for prefix in PREFIXES:
        for variable in sorted(environ):
            match = re.fullmatch(rf"{prefix}([A-Z0-9_.]+?)__([A-Z0-9_]+)", variable)
            if match is None:
                continue
            section, name = match[1].lower(), match[2].lower()
            if prefix == "AIRFLOW__" and _is_strange(section, name):
                foreign.append(variable)  # of a plugin, or of an Airflow that we do not know yet: not ours to judge
                continue
            key = _settle(section, name, f"the environment variable {variable}", warnings, foreign, show=variable)
            if key is not None and (key == (section, name) or given.get(key, ("", Source("")))[1].kind != "env"):
                given[key] = (environ[variable].strip(), Source("env", variable))
    if foreign:
        warnings.append(f"Environment variables for Airflow that mean nothing here: {', '.join(sorted(foreign))}.")


def _is_strange(section: str, name: str) -> bool:
    """Return whether nobody knows the option, and it does not look like a misspelt one of ours either."""
    known = dict(options_of(SECTIONS[section])) if section in SECTIONS else {}
    return name not in known and explain_unknown(section, name) is None and not did_you_mean(name, known)


def _settle(
    section: str, name: str, where: str, warnings: list[str], foreign: list[str], show: str | None = None
) -> _Key | None:
    """Return which option of ours is meant; None when it is one of Airflow's that means nothing here."""
    options = dict(options_of(SECTIONS[section])) if section in SECTIONS else {}
    if name in options:
        return section, name
    for suffix in ("_cmd", "_secret"):
        target = name.removesuffix(suffix)
        if name.endswith(suffix) and (target in options or (section, target) in RENAMED):
            raise UsageError(
                f"{_capital(where)} would fetch a value by {suffix!r}, which Tradewind does not do. "
                f"Give the value itself, e.g. as TRADEWIND__{section.upper()}__{target.upper()}."
            )
    if (section, name) in RENAMED:
        new_section, new_name = RENAMED[section, name]
        warnings.append(f"{_capital(where)} is read as [{new_section}] {new_name}; write that instead.")
        return new_section, new_name
    meaning = explain_unknown(section, name)
    if meaning is not None:
        foreign.append(show or f"[{section}] {name}{meaning}")
        return None
    if section not in SECTIONS:
        raise UsageError(
            f"{_capital(where)}: there is no section [{section}].{did_you_mean(section, SECTIONS)} "
            "`tradewind config list` shows all options."
        )
    elsewhere = [s for s, cls in SECTIONS.items() if name in dict(options_of(cls))]
    hint = f" Did you mean [{elsewhere[0]}] {name}?" if elsewhere else did_you_mean(name, options)
    raise UsageError(
        f"{_capital(where)}: there is no option {name!r} in section [{section}].{hint} "
        "`tradewind config list` shows all options."
    )


def _build(home: Path, environ: Mapping[str, str], given: _Raw, warnings: list[str]) -> Config:
    sources: dict[_Key, Source] = {}
    texts: dict[_Key, str] = {}
    sections: dict[str, Any] = {}
    for section, cls in SECTIONS.items():
        values: dict[str, Any] = {}
        for name, info in options_of(cls):
            raw, source = given.get((section, name), (info.default, Source("default")))
            full = _expand(raw, info, home, environ)
            values[name] = _parse(section, name, full, info, source)
            sources[section, name], texts[section, name] = source, full
        sections[section] = cls(**values)
    config = Config(home=home, sources=sources, texts=texts, warnings=tuple(warnings), **sections)
    for check in _CROSS_CHECKS:
        check(config)
    return config


def _parse(section: str, name: str, value: str, info: OptionInfo, source: Source) -> Any:
    try:
        return info.parse(value)
    except ValueError as error:
        shown = "***" if info.is_secret else repr(value)
        place = {"file": f"in {source.name}", "env": f"in the environment variable {source.name}"}
        where = place.get(source.kind, f"from {source.name or 'its default'}")
        raise UsageError(
            f"[{section}] {name} is {shown} ({where}); expected {error}. Correct it there; its default is "
            f"{info.default or 'empty'!r}."
        ) from None


def _expand(value: str, info: OptionInfo, home: Path, environ: Mapping[str, str]) -> str:
    """Fill in the home folder everywhere; ``~`` and ``$NAME`` only in paths, since a password may hold a dollar."""
    for place in ("{home}", "{TRADEWIND_HOME}", "{AIRFLOW_HOME}"):
        value = value.replace(place, str(home))
    if info.parse not in (folder, optional_folder):
        return value
    value = re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda m: environ.get(m[1] or m[2], m[0]), value)
    return _expand_user(value, environ)


def _expand_user(value: str, environ: Mapping[str, str]) -> str:
    if value == "~" or value.startswith("~/"):
        return str(Path(environ["HOME"] if environ.get("HOME") else Path.home()) / value[2:])
    return value


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _parse_outlasts_import(config: Config) -> None:
    limit, kill = config.core.dagbag_import_timeout, config.dag_processor.dag_file_processor_timeout
    if kill < limit:
        raise UsageError(
            f"[dag_processor] dag_file_processor_timeout ({kill:g} s) is shorter than [core] dagbag_import_timeout "
            f"({limit:g} s), which could then never end an import. Raise the first or lower the second."
        )


def _poll_within_lease(config: Config) -> None:
    poll, lease = config.scheduler.poll_seconds, config.scheduler.lease_seconds
    if poll > lease:
        raise UsageError(
            f"[scheduler] poll_seconds ({poll:g} s) is longer than lease_seconds ({lease:g} s), so that lost work "
            "would be seen late. Lower the first or raise the second."
        )


def _base_url_is_a_url(config: Config) -> None:
    url = config.api.base_url
    if url and not url.startswith(("http://", "https://")):
        raise UsageError(
            f"[api] base_url is {url!r}; expected an address such as https://flows.example.org, or nothing."
        )


_CROSS_CHECKS: Final[tuple[Callable[[Config], None], ...]] = (
    _parse_outlasts_import,
    _poll_within_lease,
    _base_url_is_a_url,
)
