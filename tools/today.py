"""Today[]: the date and the time of day."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from airoagent import ToolError, tool


@tool(
    "Today",
    outside=False,
    description="Gives the current date and time. The input is empty, or a time zone such as Europe/Paris or UTC+2; "
    "without one it is this computer's own.",
    repeatable=False,
)
def today(zone: str = "") -> str:
    """The weekday, the date and the time with its offset: Saturday, 21 November 2026, 09:05 (UTC+01:00)."""
    now = datetime.now(UTC).astimezone(_zone(zone.strip().strip("\"'")))
    offset = now.strftime("%z")
    shift = "" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    weekday = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[now.weekday()]
    months = "January February March April May June July August September October November December"
    month = months.split()[now.month - 1]
    return f"{weekday}, {now.day} {month} {now.year}, {now:%H:%M} (UTC{shift})"


def _zone(name: str) -> timezone | ZoneInfo | None:
    """The zone of this name; None (the computer's own) for none."""
    if name.lower() in ("", "today", "now", "local"):
        return None
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    if name[:3].upper() in ("UTC", "GMT") and name[3:4] in ("+", "-", "−"):
        hours, _, minutes = name[4:].partition(":")
        if hours.isdecimal() and int(hours) < 15 and (not minutes or (minutes.isdecimal() and int(minutes) < 60)):
            shift = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return timezone(shift if name[3] == "+" else -shift)
    try:
        return ZoneInfo(name.replace(" ", "_"))
    except (ValueError, OSError, KeyError):  # no such zone, or a path
        raise ToolError(
            f"{name[:60]!r} is not a time zone", "give a name such as Europe/Paris, an offset such as UTC+2, or nothing"
        ) from None
