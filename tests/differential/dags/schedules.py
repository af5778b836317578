# mypy: ignore-errors
"""Runs that come by a schedule, across both daylight-saving changes of five zones. Their tasks cost nothing."""

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    DAG,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    MultipleCronTriggerTimetable,
)

# Zone, local day before the change in spring, and in autumn, of 2023. Lord Howe changes by half an hour.
CHANGES = {
    "berlin": ("Europe/Berlin", (2023, 3, 25), (2023, 10, 28)),
    "newyork": ("America/New_York", (2023, 3, 11), (2023, 11, 4)),
    "lordhowe": ("Australia/Lord_Howe", (2023, 9, 30), (2023, 4, 1)),
    "santiago": ("America/Santiago", (2023, 9, 1), (2023, 4, 1)),
    "cairo": ("Africa/Cairo", (2023, 4, 27), (2023, 10, 25)),
}
FORMS = {
    "daily": lambda zone: "@daily",
    "night": lambda zone: "30 2 * * *",
    "six_hours": lambda zone: "0 */6 * * *",
    "delta": lambda zone: timedelta(hours=12),
    "cron_interval": lambda zone: CronDataIntervalTimetable("15 1 * * *", zone),
    "cron_trigger": lambda zone: CronTriggerTimetable("45 23 * * *", timezone=zone, interval=timedelta(hours=24)),
    "several": lambda zone: MultipleCronTriggerTimetable("0 2 * * *", "30 2 * * *", "0 14 * * *", timezone=zone),
    "delta_interval": lambda zone: DeltaDataIntervalTimetable(timedelta(days=1)),
    "delta_trigger": lambda zone: DeltaTriggerTimetable(timedelta(hours=20), interval=timedelta(hours=20)),
}

for name, (zone, *days) in CHANGES.items():
    for season, day in zip(("spring", "autumn"), days, strict=True):
        start = pendulum.datetime(*day, tz=zone)
        for form, schedule in FORMS.items():
            with DAG(
                f"{name}_{season}_{form}",
                schedule=schedule(zone),
                start_date=start,
                end_date=start.add(days=3),
                catchup=True,
                max_active_runs=50,
            ):
                EmptyOperator(task_id="tick")

UTC_START = pendulum.datetime(2024, 2, 27, 5, tz="UTC")
for name, schedule in {
    "once": "@once",
    "hourly": "@hourly",
    "weekly": "@weekly",
    "monthly": "@monthly",
    "quarterly": "@quarterly",
    "yearly": "@yearly",
    "leap": "0 0 29 2 *",
    "last_of_month": "0 0 L * *",
    "weekday_names": "0 0 * * MON-FRI",
    "both_days": "0 0 1 * THU",
    "six_fields": "0 0 * * * 30",
    "steps": "5/20 1-3 * * *",
}.items():
    end = UTC_START.add(days=1 if name in ("hourly", "steps") else 3 if name == "six_fields" else 40)
    with DAG(f"utc_{name}", schedule=schedule, start_date=UTC_START, end_date=end, catchup=True, max_active_runs=50):
        EmptyOperator(task_id="tick")
