"""Does an executor keep its contract? A suite for pytest that the built-in ones pass, and that any other can run.

See docs/executors.md. Needs pytest: ``pip install 'tradewind[test]'``.
"""

import pytest

pytest.register_assert_rewrite("executors.conformance.contract")

from executors.conformance.contract import ExecutorContract  # noqa: E402  only now are its asserts told in full
from executors.conformance.installation import Bench, Installation  # noqa: E402

__all__ = ["Bench", "ExecutorContract", "Installation"]
