"""What a model takes as a GGUF file, by quantisation: the figures of the model cards, and what follows from them.

Sources: the tables of the GGML repositories of airoboros-l2-7b-gpt4-1.4.1 and airoboros-l2-13b-gpt4-m2.0. A file's size
hardly changed with GGUF; memory is the file and 2.5 GB, with nothing on a GPU, as the tables have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Quantised", "quantised_sizes"]

_CARDS: Final = {
    # GB of the file for 7b and for 13b.
    "Q2_K": (2.87, 5.51),
    "Q3_K_S": (2.95, 5.66),
    "Q3_K_M": (3.28, 6.31),
    "Q3_K_L": (3.60, 6.93),
    "Q4_0": (3.79, 7.37),
    "Q4_K_S": (3.83, 7.37),
    "Q4_K_M": (4.08, 7.87),
    "Q5_0": (4.63, 8.97),
    "Q5_K_S": (4.65, 8.97),
    "Q5_K_M": (4.78, 9.23),
    "Q6_K": (5.53, 10.68),
    "Q8_0": (7.16, 13.79),
}
_WORKING: Final = 2.5


@dataclass(frozen=True, slots=True)
class Quantised:
    """One quantisation of a model: ``file`` and ``memory`` in GB; ``given`` says that a card has the figures."""

    name: str
    file: float
    memory: float
    given: bool


def quantised_sizes(parameters: float) -> tuple[Quantised, ...]:
    """Every quantisation of a model of so many billion parameters, smallest first.

    The cards give 6.7 and 13.0 billion; other sizes are in proportion to 13.0.
    """
    rows = []
    for name, (small, large) in _CARDS.items():
        given = parameters in (6.7, 13.0)
        file = {6.7: small, 13.0: large}.get(parameters, round(large * parameters / 13.0, 2))
        rows.append(Quantised(name, file, round(file + _WORKING, 2), given))
    return tuple(rows)
