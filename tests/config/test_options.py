"""Are the options few, explained, and the same in the example file, in the code and in Airflow?"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tradewind.config import SECTIONS, Config, load_config
from tradewind.config.airflow_names import AIRFLOW_OPTIONS
from tradewind.config.example import render_example
from tradewind.config.foreign import RENAMED
from tradewind.config.option import options_of

ALL = [(section, name, info) for section, cls in SECTIONS.items() for name, info in options_of(cls)]
EXAMPLE = Path(__file__).parents[2] / "airflow.cfg.example"

OURS = {
    ("celery", "worker_stop_seconds"),
    ("core", "xcom_max_inline_bytes"),
    ("core", "xcom_object_store"),
    ("database", "statement_timeout_seconds"),
    ("dag_processor", "dag_bundle"),
    ("dag_processor", "parse_memory_limit_mb"),
    ("scheduler", "backfill_share"),
    ("scheduler", "lease_seconds"),
    ("scheduler", "max_infrastructure_losses"),
    ("scheduler", "poll_seconds"),
    ("workers", "ca_file"),
    ("workers", "cancel_grace_seconds"),
    ("workers", "control_plane"),
    ("workers", "task_memory_limit_mb"),
    ("workers", "token"),
    ("workers", "warm_dag_files"),
    ("retention", "archive_folder"),
    ("retention", "audit_days"),
    ("retention", "min_runs"),
    ("retention", "run_days"),
    ("api", "session_hours"),
    ("api", "threads"),
    ("health", "listen"),
}


def test_the_example_file_is_what_the_options_say():
    assert EXAMPLE.read_text() == render_example(), "Run: python -m tradewind.config.example > airflow.cfg.example"


def test_the_example_file_with_every_default_set_changes_nothing(tmp_path):
    defaults = load_config({}, tmp_path)
    names = {name for _, name, _ in ALL}
    lines = [
        line.removeprefix("# ") if line.removeprefix("# ").partition(" =")[0] in names else line
        for line in render_example().splitlines()
    ]
    (tmp_path / "airflow.cfg").write_text("\n".join(lines))

    config = load_config({}, tmp_path)

    assert {source.kind for source in config.sources.values()} == {"file"}
    assert {name: getattr(config, name) for name in SECTIONS} == {name: getattr(defaults, name) for name in SECTIONS}
    assert config.texts == defaults.texts


def test_there_are_few_options():
    assert len(ALL) <= 80  # 62 for one machine, the rest for many


@pytest.mark.parametrize(("section", "name", "info"), ALL, ids=lambda value: value if isinstance(value, str) else "")
def test_every_option_explains_itself_and_its_default_is_legal(section, name, info):
    assert len(info.doc) > 20
    assert info.doc.endswith((".", "first"))
    info.parse(info.default.replace("{home}", "/home"))


def test_sections_are_the_fields_of_the_configuration():
    assert list(SECTIONS) == [field.name for field in fields(Config) if field.name in SECTIONS]
    assert set(SECTIONS) == {f.name for f in fields(Config)} - {"home", "sources", "texts", "warnings"}


def test_names_are_airflows_unless_airflow_has_no_such_thing():
    unknown = {(s, n) for s, n, _ in ALL if n not in AIRFLOW_OPTIONS.get(s, "").split()}

    assert unknown == OURS


def test_old_names_lead_to_options_that_exist():
    assert set(RENAMED.values()) <= {(section, name) for section, name, _ in ALL}
    assert not set(RENAMED) & {(section, name) for section, name, _ in ALL}
