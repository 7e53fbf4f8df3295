"""What is made of a library's error."""

from __future__ import annotations

import pytest

from airoagent.models.local.architecture import is_out_of_memory, reason_of


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("one line", "one line"),
        ("\n first \nsecond", "first"),
        ("Validation error for 'x':\n    it is no number\nmore", "Validation error for 'x': it is no number"),
        ("only this:", "only this:"),
        ("", "ValueError"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_it_is_one_line(said: str, told: str) -> None:
    assert reason_of(ValueError(said)) == told


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        OSError("unable to mmap 393235136 bytes from file <x>: Cannot allocate memory (12)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
    ],
)
def test_the_words_for_no_memory_are_known(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(ValueError("memory of an elephant"))
