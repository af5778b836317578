"""What stands for names that files use in type hints only? Anything fits them."""

from __future__ import annotations

from typing import Any

DagStateChangeCallback = TaskStateChangeCallback = TaskStateChangeCallbackAttrType = Any
ScheduleArg = ScheduleInterval = WeightRuleParam = Any
OutletEventAccessorProtocol = OutletEventAccessorsProtocol = WeightRuleProtocol = TIKeyProtocol = Any
EdgeInfoType = Any
