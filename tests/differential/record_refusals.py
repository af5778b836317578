# mypy: ignore-errors
"""Which pieces of ``wrong_use.txt`` does real Apache Airflow 3.3.2 refuse? Writes ``recorded_refusals.json``.

Not part of the test run; run it again when pieces are added, with a Python that has Airflow 3.3.2:

    AIRFLOW_HOME=/tmp/af /path/to/airflow/bin/python tests/differential/record_refusals.py

Each piece is read as the DAG processor reads a file, serialisation included.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from shape import pieces  # noqa: E402


def main() -> None:
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    import structlog
    from airflow.dag_processing.processor import DagFileParseRequest, _parse_file

    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, text) in enumerate(pieces(HERE / "wrong_use.txt").items()):
            file = Path(folder) / f"piece{number}.py"
            file.write_text(text)
            request = DagFileParseRequest(file=str(file), bundle_path=Path(folder), bundle_name="pieces")
            try:
                result = _parse_file(request, structlog.get_logger())
            except BaseException as error:
                answers[name] = {"refused": True, "error": type(error).__name__, "dags": []}
                continue
            lines = [line for error in (result.import_errors or {}).values() for line in error.strip().splitlines()]
            answers[name] = {"refused": bool(lines), "dags": sorted(dag.dag_id for dag in result.serialized_dags)}
            if lines:
                answers[name]["error"] = lines[-1].split(":")[0].rsplit(".", 1)[-1][:60]
    (HERE / "recorded_refusals.json").write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
