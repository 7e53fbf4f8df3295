"""Waiting: what a server asks for, and how long a retry waits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airoagent.background import backoff
from airoagent.web.politeness import retry_after

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("9" * 400, 86400.0),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 13:01:00 +0100", 60.0),
        ("Saturday, 21-Nov-26 12:00:05 GMT", 5.0),
        ("Fri, 31 Dec 2100 23:59:59 GMT", 86400.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("³", None),
        ("Sat, 99 Nov 2026 12:00:00 GMT", None),
        ("\x00", None),
        ("Sat, 21 Nov 99999999999999999999 12:00:00 GMT", None),
        ("Sat, 99999999999999999999999 Nov 2026 12:00:00 GMT", None),
        ("Sat, 21 Nov 2026 12:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


def test_a_retry_waits_longer_each_time_up_to_a_ceiling_and_never_in_step() -> None:
    waits = [[backoff(attempt) for _ in range(200)] for attempt in (1, 2, 3, 20)]
    assert [max(row) <= ceiling for row, ceiling in zip(waits, (0.5, 1.0, 2.0, 8.0), strict=True)] == [True] * 4
    assert [len(set(row)) > 150 for row in waits] == [True] * 4
    assert max(waits[3]) > 2.0
