"""What stands for ``BaseAsyncOperator``? An operator whose work is a coroutine, run on an event loop of its own."""

from __future__ import annotations

from typing import Any

from tradewind.sdk.context_values import Context
from tradewind.sdk.operator import BaseOperator


class BaseAsyncOperator(BaseOperator):
    """Subclasses give ``aexecute(context)``."""

    @property
    def is_async(self) -> bool:
        """Whether the work is a coroutine."""
        return True

    async def aexecute(self, context: Context) -> Any:
        """Do the work; for subclasses."""
        raise NotImplementedError(
            f"{type(self).__name__} has no aexecute(). Give it one: async def aexecute(self, context): ..."
        )

    def execute(self, context: Context) -> Any:
        """Run :meth:`aexecute` to its end."""
        import asyncio  # late: as heavy as all the rest of a DAG file's imports

        return asyncio.run(self.aexecute(context))
