"""Every plan in plans/ reads without a repair and writes itself back."""

from __future__ import annotations

from pathlib import Path

import pytest

from airoagent import parse_plan
from airoagent.toolbox.loader import bundle_folder, find_tools

PLANS = sorted(bundle_folder("plans").glob("*.plan"))


def test_there_are_plans() -> None:
    assert PLANS


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_a_plan_needs_no_repair(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    plan = parse_plan(text, find_tools(config_folder=None).toolbox)
    assert plan.diagnostics == () and plan.question
    assert plan.to_text().splitlines() == text.splitlines()
