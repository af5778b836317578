"""Does the executor of docs/executors.md keep the contract? It is taken from that page, and so is nobody of ours."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from executors.conformance import ExecutorContract, Installation

PAGE = Path(__file__).parents[2] / "docs" / "executors.md"


class TestTheExecutorOfThePage(ExecutorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def installation(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
        site = tmp_path_factory.mktemp("site")
        (code,) = re.findall(r"```py\n# my_company/executors\.py\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
        (site / "my_company").mkdir()
        (site / "my_company" / "__init__.py").touch()
        (site / "my_company" / "executors.py").write_text(code)
        sys.path.insert(0, str(site))
        try:
            with Installation(tmp_path_factory.mktemp("own"), "heavy:my_company.executors.HeavyExecutor") as made:
                yield made
        finally:
            sys.path.remove(str(site))

    def test_no_more_run_at_once_than_it_says(self, bench):
        assert bench.executor.capacity() == 2
