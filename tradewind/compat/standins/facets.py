"""What stands for OpenLineage's facets where it is not installed? Classes that take anything and do nothing."""

from __future__ import annotations

from typing import Any


class NoFacet:
    """Takes anything and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass


def create_no_op(*_: Any, **__: Any) -> None:
    """Return nothing."""


def require_openlineage_version(*_: Any, **__: Any) -> Any:
    """Return a decorator whose functions say that OpenLineage is not there.

    Raises:
        AirflowOptionalProviderFeatureException: when a decorated function is called.
    """
    from tradewind.compat.standins.exceptions import AirflowOptionalProviderFeatureException

    def decorate(function: Any) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise AirflowOptionalProviderFeatureException(
                f"{function.__name__}() needs OpenLineage, which Tradewind does not have. Leave it out."
            )

        return refuse

    return decorate


def require_provider_version(provider_name: str, provider_min_version: str) -> Any:
    """Return a decorator whose functions need another provider package, at least of that version.

    Raises:
        AirflowOptionalProviderFeatureException: when a decorated function is called without it.
    """
    from tradewind.compat.standins.exceptions import AirflowOptionalProviderFeatureException

    def decorate(function: Any) -> Any:
        def checked(*args: Any, **kwargs: Any) -> Any:
            from importlib.metadata import PackageNotFoundError, version

            from packaging.version import Version

            mend = f"Install it: pip install --no-deps '{provider_name}>={provider_min_version}'"
            try:
                found = version(provider_name)
            except PackageNotFoundError:
                raise AirflowOptionalProviderFeatureException(
                    f"{function.__name__}() needs {provider_name}, which is not installed. {mend}"
                ) from None
            if Version(found) < Version(provider_min_version):
                raise AirflowOptionalProviderFeatureException(
                    f"{function.__name__}() needs {provider_name} {provider_min_version}, and {found} is there. {mend}"
                )
            return function(*args, **kwargs)

        return checked

    return decorate


def unchanged(properties: Any, *_: Any, **__: Any) -> Any:
    """Return the properties of a job as they are: there is no lineage to put into them."""
    return properties


def get_openlineage_facets_with_sql(*_: Any, **__: Any) -> None:
    """Return nothing."""


def default_if_none(value: Any) -> Any:
    """Return ``value``, or an empty text."""
    return value or ""


def __getattr__(name: str) -> Any:
    """Return a class that does nothing for any name of a class."""
    if not name[:1].isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = type(name, (NoFacet,), {"__module__": __name__})
    return found
