"""Does a schedule read well?"""

from __future__ import annotations

from datetime import timedelta

import pytest
from dateutil.relativedelta import MO, relativedelta

from tradewind.timetables.cronwords import describe_cron
from tradewind.timetables.durations import decode_delta, encode_delta, say_delta


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/1 * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("0 * * * *", "Every hour"),
        ("30 * * * *", "At 30 minutes past the hour"),
        ("0,30 * * * *", "At 0 and 30 minutes past the hour"),
        ("0 */6 * * *", "Every 6 hours"),
        ("30 */6 * * *", "At 30 minutes past the hour, every 6 hours"),
        ("0 2 * * *", "At 02:00"),
        ("15,45 6 * * *", "At 06:15 and 06:45"),
        ("0 0,12 * * *", "At 00:00 and 12:00"),
        ("0 9-17 * * *", "Every hour, between 09:00 and 17:59"),
        ("5 9-17 * * *", "At 5 minutes past the hour, between 09:00 and 17:59"),
        ("*/15 9-17 * * 1-5", "Every 15 minutes, between 09:00 and 17:59, Monday through Friday"),
        ("* 5 * * *", "Every minute, between 05:00 and 05:59"),
        ("0 9 * * MON-FRI", "At 09:00, Monday through Friday"),
        ("0 2 * * mon,wed", "At 02:00, only on Monday and Wednesday"),
        ("0 0 * * 7", "At 00:00, only on Sunday"),
        ("0 0 * * 5#2", "At 00:00, on the second Friday of the month"),
        ("0 0 * * L5", "At 00:00, on the last Friday of the month"),
        ("0 0 1 * *", "At 00:00, on day 1 of the month"),
        ("0 0 L * *", "At 00:00, on the last day of the month"),
        ("0 8 1-7 * *", "At 08:00, between day 1 and 7 of the month"),
        ("0 0 */2 * *", "At 00:00, every 2 days"),
        ("0 0 1,15 * 3", "At 00:00, on day 1 and 15 of the month or on Wednesday"),
        ("0 0 1 1 *", "At 00:00, on day 1 of the month, only in January"),
        ("0 0 1 */3 *", "At 00:00, on day 1 of the month, every 3 months"),
        ("0 12 * 6-8 *", "At 12:00, June through August"),
        ("0 12 * jun,jul *", "At 12:00, only in June and July"),
        ("23 0-20/2 * * *", ""),
        ("10-20 5 * * *", ""),
        ("0 0 1-5/2 * *", ""),
        ("0 0 * * 1-5/2", ""),
        ("0 12 * * * 30", ""),
        ("* * *", ""),
    ],
)
def test_a_cron_expression_in_words(cron, words):
    assert describe_cron(cron) == words


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (timedelta(hours=6), "Every 6 hours"),
        (timedelta(days=1), "Every day"),
        (timedelta(hours=1, minutes=30), "Every 1 hour and 30 minutes"),
        (timedelta(seconds=1.5), ""),
        (relativedelta(months=1), "Every month"),
        (relativedelta(years=2, days=3), "Every 2 years and 3 days"),
        (relativedelta(months=1, day=1), ""),
        (relativedelta(months=1, days=-1), ""),
    ],
)
def test_a_duration_in_words(delta, words):
    assert say_delta(delta) == words


@pytest.mark.parametrize(
    "delta",
    [timedelta(days=400, microseconds=1), timedelta(hours=6), relativedelta(months=1, day=31, weekday=MO(-1), hours=2)],
)
def test_a_duration_survives_being_stored(delta):
    assert decode_delta(encode_delta(delta)) == delta
