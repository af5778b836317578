"""Does the code keep the rules of docs/architecture.md that import contracts cannot express?"""

from __future__ import annotations

from typing import Final

from tests.docs.sources import PACKAGES, ROOT, imports, python_files

DATABASE_LIBRARIES: Final = ("sqlalchemy", "alembic", "psycopg", "sqlite3")

ALLOWED_OUTSIDE: Final = {
    ("sqlalchemy", "Connection"),  # a transaction that is passed on; no statement is made with it
    ("sqlalchemy.exc", "DBAPIError"),
    ("sqlalchemy.exc", "OperationalError"),
    ("sqlalchemy.engine", "make_url"),
}

EXCEPTIONS: Final = {
    "tradewind/console/info.py": "sqlite3",  # tells its version
    "tradewind/sdk/hooks/sql.py": "sqlalchemy",  # speaks to the databases of tasks, not to the metadata DB
}


def test_sql_is_spoken_on_the_metadata_floor_only():
    wrong = [
        f"{where}:{line} imports {module} {name}"
        for path in python_files(*PACKAGES)
        if not (where := str(path.relative_to(ROOT))).startswith(("tradewind/metadata/", "migrations/"))
        for module, name, line in imports(path)
        if module.split(".")[0] in DATABASE_LIBRARIES
        and (module, name) not in ALLOWED_OUTSIDE
        and EXCEPTIONS.get(where) != module.split(".")[0]
    ]

    assert wrong == []


def test_modules_stay_small():
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files(*PACKAGES, "benchmarks", "dags", "tests")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }

    assert too_long == {}
