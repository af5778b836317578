"""What stands for ``airflow.utils.weight_rule`` and the resources of operators? Bounds, and values nobody reads."""

from __future__ import annotations

from typing import Any, Final

DB_SAFE_MINIMUM: Final = -(2**31)
DB_SAFE_MAXIMUM: Final = 2**31 - 1
MB: Final = 1
GB: Final = 1024 * MB
TB: Final = 1024 * GB
PB: Final = 1024 * TB
EB: Final = 1024 * PB


def db_safe_priority(priority_weight: int) -> int:
    """Return the weight, no smaller and no larger than a 32-bit integer."""
    return max(DB_SAFE_MINIMUM, min(DB_SAFE_MAXIMUM, priority_weight))


class Resource:
    """An amount of something that a task wants; no executor here looks at it."""

    def __init__(self, name: str, units_str: str, qty: float) -> None:
        if qty < 0:
            raise ValueError(f"The resource {name!r} cannot be {qty}; give 0 or more.")
        self.name, self.units_str, self.qty = name, units_str, qty

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.name, self.qty))

    def __repr__(self) -> str:
        return f"{self.qty} {self.units_str} of {self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Return name, unit and amount."""
        return {"name": self.name, "qty": self.qty, "units_str": self.units_str}


class CpuResource(Resource):
    """Cores."""

    def __init__(self, qty: float) -> None:
        super().__init__("CPU", "core(s)", qty)


class RamResource(Resource):
    """Memory in MB."""

    def __init__(self, qty: float) -> None:
        super().__init__("RAM", "MB", qty)


class DiskResource(Resource):
    """Disk in MB."""

    def __init__(self, qty: float) -> None:
        super().__init__("Disk", "MB", qty)


class GpuResource(Resource):
    """Graphics processors."""

    def __init__(self, qty: float) -> None:
        super().__init__("GPU", "gpu(s)", qty)


class Resources:
    """What a task wants of each."""

    def __init__(self, cpus: float = 1, ram: float = 512, disk: float = 512, gpus: float = 0) -> None:
        self.cpus, self.ram, self.disk, self.gpus = (
            CpuResource(cpus),
            RamResource(ram),
            DiskResource(disk),
            GpuResource(gpus),
        )
