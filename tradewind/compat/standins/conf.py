"""What stands for ``airflow.configuration.conf``? The options of ``airflow.cfg``, for reading, without its secrets."""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tradewind.compat.standins.exceptions import AirflowConfigException
from tradewind.config.load import PREFIXES, home_folder
from tradewind.config.option import OptionInfo, boolean, options_of
from tradewind.config.sections import SECTIONS

_MISSING: Final = object()
_SECRET_SECTIONS: Final = frozenset({"secrets", "sentry", "api_auth"})
_SECRET_WORDS: Final = ("password", "secret", "fernet", "conn", "token", "_key", "result_backend", "broker_url")
_DEFAULTS: Final[Mapping[tuple[str, str], str]] = {
    ("core", "execute_tasks_new_python_interpreter"): "False",
    ("core", "allowed_deserialization_classes"): "airflow.* tradewind.*",
    ("core", "unit_test_mode"): "False",
    ("operators", "default_deferrable"): "false",
    ("operators", "allow_illegal_arguments"): "False",
    ("sensors", "default_timeout"): "604800",
    ("email", "email_backend"): "airflow.utils.email.send_email_smtp",
    ("email", "email_conn_id"): "smtp_default",
    ("smtp", "smtp_host"): "localhost",
    ("smtp", "smtp_starttls"): "True",
    ("smtp", "smtp_ssl"): "False",
    ("smtp", "smtp_port"): "25",
    ("smtp", "smtp_mail_from"): "airflow@example.com",
    ("smtp", "smtp_timeout"): "30",
    ("smtp", "smtp_retry_limit"): "5",
    ("logging", "logging_level"): "INFO",
    ("lineage", "backend"): "",
    ("metrics", "statsd_on"): "False",
    ("traces", "otel_on"): "False",
    ("scheduler", "enable_tracemalloc"): "False",
}
"""What Airflow says where Tradewind has no option of that name, and files or providers ask."""


class AirflowConfig:
    """Reads options as Airflow's parser does: environment, then ``airflow.cfg``, then defaults, then ``fallback``."""

    @cached_property
    def _file(self) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(interpolation=None, default_section="\0none")
        named = os.environ.get("TRADEWIND_CONFIG") or os.environ.get("AIRFLOW_CONFIG")
        path = Path(named).expanduser() if named else home_folder(os.environ) / "airflow.cfg"
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise AirflowConfigException(f"{path} cannot be read: {error}. Correct it.") from error
        return parser

    def _text(self, section: str, option: str) -> str | None:
        section, option = section.lower(), option.lower()
        if is_secret(section, option):
            raise AirflowConfigException(
                f"conf.get({section!r}, {option!r}): a task does not see this option, which may hold a secret. "
                "Put what it needs into a connection."
            )
        for prefix in reversed(PREFIXES):
            value = os.environ.get(f"{prefix}{section.upper()}__{option.upper()}")
            if value is not None:
                return value
        if self._file.has_option(section, option):
            return self._file.get(section, option).replace("%%", "%")
        info = _option(section, option)
        if info is not None:
            return info.default.replace("{home}", str(home_folder(os.environ)))
        return _DEFAULTS.get((section, option), _provider_default(section, option))

    def get(self, section: str, key: str, fallback: Any = _MISSING, suppress_warnings: bool = False, **_: Any) -> Any:
        """Return the text of an option.

        Raises:
            AirflowConfigException: nobody has set it, there is no default and no ``fallback``; or it may hold a secret.
        """
        found = self._text(section, key)
        if found is not None:
            return found
        if fallback is _MISSING:
            raise AirflowConfigException(f"section/key [{section}/{key}] not found in config. Give fallback=.")
        return fallback

    def _read(self, section: str, key: str, read: Callable[[str], Any], expected: str, given: dict[str, Any]) -> Any:
        found = self.get(section, key, **given)
        if not isinstance(found, str):
            return found
        try:
            return read(found)
        except ValueError:
            raise AirflowConfigException(f"[{section}] {key} is {found!r}; expected {expected}.") from None

    def getboolean(self, section: str, key: str, **given: Any) -> Any:
        """Return an option that says yes or no; see :meth:`get`."""
        return self._read(section, key, lambda text: boolean(text.partition("#")[0].strip()), "True or False", given)

    def getint(self, section: str, key: str, **given: Any) -> Any:
        """Return an option that is an integer; see :meth:`get`."""
        return self._read(section, key, int, "an integer", given)

    def getfloat(self, section: str, key: str, **given: Any) -> Any:
        """Return an option that is a number; see :meth:`get`."""
        return self._read(section, key, float, "a number", given)

    def getlist(self, section: str, key: str, delimiter: str = ",", **given: Any) -> Any:
        """Return an option that is a list of texts; see :meth:`get`."""
        return self._read(
            section, key, lambda text: [part.strip() for part in text.split(delimiter) if part.strip()], "a list", given
        )

    def getjson(self, section: str, key: str, **given: Any) -> Any:
        """Return an option that is JSON, None when it is empty; see :meth:`get`."""
        return self._read(section, key, lambda text: json.loads(text) if text else given.get("fallback"), "JSON", given)

    def gettimedelta(self, section: str, key: str, **given: Any) -> Any:
        """Return an option in seconds as ``timedelta``, None when it is empty; see :meth:`get`."""
        return self._read(section, key, lambda text: timedelta(seconds=int(text)) if text else None, "seconds", given)

    def getenum(self, section: str, key: str, enum_class: type[Enum], **given: Any) -> Any:
        """Return an option that names a member of ``enum_class``; see :meth:`get`."""
        names = ", ".join(enum_class.__members__)
        return self._read(section, key, lambda text: _member(enum_class, text), f"one of {names}", given)

    def getimport(self, section: str, key: str, **given: Any) -> Any:
        """Return the object to which an option leads, None when it is empty; see :meth:`get`."""
        from tradewind.compat.standins.importing import import_string

        found = self.get(section, key, **given)
        return import_string(found) if found else None

    def get_mandatory_value(self, section: str, key: str, **given: Any) -> str:
        """Return the text of an option that must be there; see :meth:`get`.

        Raises:
            ValueError: there is none.
        """
        found = self.get(section, key, **given)
        if found is None:
            raise ValueError(f"The option [{section}] {key} must be set.")
        return str(found)

    def get_mandatory_list_value(self, section: str, key: str, **given: Any) -> list[str]:
        """Return an option that must be a list; see :meth:`get`."""
        return list(self.getlist(section, key, **given) or ())

    def has_option(self, section: str, option: str) -> bool:
        """Return whether somebody has set an option, or it has a default."""
        try:
            return self._text(section, option) is not None
        except AirflowConfigException:
            return True

    def getsection(self, section: str) -> dict[str, Any] | None:
        """Return all options of a section that are known, without secrets; None when there is no such section."""
        names = dict.fromkeys(name for name, _ in options_of(SECTIONS[section])) if section in SECTIONS else {}
        names.update(dict.fromkeys(self._file.options(section) if self._file.has_section(section) else ()))
        names.update(dict.fromkeys(name for place, name in _DEFAULTS if place == section))
        for prefix in PREFIXES:
            start = f"{prefix}{section.upper()}__"
            names.update(dict.fromkeys(name[len(start) :].lower() for name in os.environ if name.startswith(start)))
        return {name: self._text(section, name) for name in names if not is_secret(section, name)} or None

    def has_section(self, section: str) -> bool:
        """Return whether there is such a section."""
        return self.getsection(section) is not None


def is_secret(section: str, option: str) -> bool:
    """Return whether an option may hold a secret, which tasks do not see."""
    info = _option(section, option)
    if info is not None:
        return info.is_secret
    return section in _SECRET_SECTIONS or any(
        word in option for word in _SECRET_WORDS if not option.endswith(("conn_id", "_connections"))
    )


def _option(section: str, option: str) -> OptionInfo | None:
    return dict(options_of(SECTIONS[section])).get(option) if section in SECTIONS else None


def _member(enum_class: type[Enum], text: str) -> Enum:
    try:
        return enum_class[text]
    except KeyError:
        raise ValueError(text) from None


def _provider_default(section: str, option: str) -> str | None:
    """Return what the installed provider packages say; they describe their options with their defaults."""
    from tradewind.compat.providers import option_default

    return option_default(section, option)


conf: Final = AirflowConfig()
AIRFLOW_HOME: Final = str(home_folder(os.environ))
AIRFLOW_CONFIG: Final = f"{AIRFLOW_HOME}/airflow.cfg"
_FOLDERS: Final = {"DAGS_FOLDER": "dags_folder", "PLUGINS_FOLDER": "plugins_folder"}


def get_airflow_home() -> str:
    """Return the home folder."""
    return AIRFLOW_HOME


def __getattr__(name: str) -> Any:
    """Return a method of :data:`conf` (``airflow.configuration.getboolean``), or a folder of ``airflow.settings``."""
    if name in _FOLDERS:
        return conf.get("core", _FOLDERS[name])
    if name.startswith("get") and hasattr(AirflowConfig, name):
        return getattr(conf, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
