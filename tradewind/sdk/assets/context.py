"""Which names of a task's context are about assets? They are worked out when first asked for: few tasks ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tradewind.model.orders import AssetChange, AttemptOrder
    from tradewind.sdk.assets.lookup import AssetFinder
    from tradewind.sdk.channel import TaskChannel
    from tradewind.sdk.context_values import Context
    from tradewind.sdk.operator import BaseOperator

_ASSETS: Final = __name__.rpartition(".")[0]


def asset_names(order: AttemptOrder, channel: TaskChannel, values: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return what gives each name its value: the same one to whoever asks, in copies of the context as well.

    ``values`` has ``inlets`` and ``outlets`` by then.
    """

    @cache
    def finder() -> AssetFinder:
        from tradewind.sdk.assets.lookup import AssetFinder

        return AssetFinder(channel)

    @cache
    def outlet_events() -> Any:
        from tradewind.sdk.assets.outlets import OutletEvents

        return OutletEvents(finder())

    @cache
    def inlet_events() -> Any:
        from tradewind.sdk.assets.inlets import InletEventsByAsset

        return InletEventsByAsset(values["inlets"], finder())

    @cache
    def triggering_asset_events() -> Any:
        from tradewind.sdk.assets.inlets import TriggeringEvents

        return TriggeringEvents(finder(), was_triggered=order.run_type == "asset_triggered")

    @cache
    def asset_state_store() -> Any:
        from tradewind.sdk.assets.state import AssetStates

        return AssetStates(channel, [*values["inlets"], *values["outlets"]])

    names: dict[str, Callable[[], Any]] = {
        "outlet_events": outlet_events,
        "inlet_events": inlet_events,
        "triggering_asset_events": triggering_asset_events,
    }
    # Only a task that names assets has it, as in Airflow.
    if any(type(one).__module__.startswith(_ASSETS) for one in (*values["inlets"], *values["outlets"])):
        names["asset_state_store"] = asset_state_store
    return names


def check_assets(task: BaseOperator, channel: TaskChannel) -> None:
    """Fail a task whose inlets or outlets are not active: nobody would learn that it has updated them, as in Airflow.

    Raises:
        AirflowInactiveAssetInInletOrOutletException: names them.
    """
    if not task.inlets and not task.outlets:
        return
    from tradewind.model.asset_talk import CheckAssets
    from tradewind.sdk.assets.lookup import InactiveAssets
    from tradewind.sdk.assets.serialize import mentions

    named = mentions([*task.inlets, *task.outlets])
    inactive = channel.ask_assets(CheckAssets(named)).inactive if named else ()
    if inactive:
        raise InactiveAssets(task.who, inactive)


def asset_changes(task: BaseOperator, context: Context) -> tuple[AssetChange, ...]:
    """Return what a task that has succeeded has updated."""
    if not task.outlets:
        return ()
    from tradewind.sdk.assets.outlets import changes_of

    return changes_of(task.outlets, context["outlet_events"])
