"""SmolLM2-135M-Instruct's real weights for tests: what `airo pull smollm2` fetched, or AIRO_TEST_SMOLLM2 names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airoagent.models.packaged import packaged_file

__all__ = ["smollm2_file"]

# Asked at import: tests move AIRO_HOME elsewhere.
_FILE = Path(os.environ.get("AIRO_TEST_SMOLLM2") or packaged_file("smollm2"))


def smollm2_file() -> Path:
    """The GGUF file; the test is skipped where it is not here."""
    if not _FILE.is_file():
        pytest.skip("SmolLM2 is not here: airo pull smollm2, or AIRO_TEST_SMOLLM2=FILE")
    return _FILE
