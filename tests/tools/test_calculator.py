"""Calculator: exact, bounded, and never a way to run code."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent import Evidence, ToolError, ToolOutput
from airoagent.toolbox.loader import load_tools
from tests.fetching import make_context

(CALCULATOR,) = load_tools(Path(__file__).parents[2] / "tools" / "calculator.py")


def output(*parts: str | Evidence) -> ToolOutput:
    found: ToolOutput = CALCULATOR("".join(map(str, parts)), make_context(*parts))
    return found


def value(*parts: str | Evidence) -> str:
    return output(*parts).text


def told(text: str) -> Evidence:
    return Evidence("evidence3", "KnowledgeModel", text)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(1 + 2/3) * 12", "20"),
        ("0.1 + 0.2", "0.3"),
        ("1/8", "0.125"),
        ("10 / 3", "10/3 ≈ 3.33333333333333333333"),
        ("-1/3", "-1/3 ≈ -0.333333333333333333333"),
        ("-2**2", "-4"),
        ("2**3**2", "512"),
        ("2^-2", "0.25"),
        ("0**0", "1"),
        ("(-1)**(10**3000 + 1)", "-1"),
        ("15% of 1,240", "186"),
        ("50 % 7", "1"),
        ("12.5%", "0.125"),
        ("-7 % 3", "2"),
        ("7 // 2", "3"),
        ("1,240.50 × 2 =", "2481"),
        ("3 − 5", "-2"),
        ("max(1,234)", "234"),
        ("min(3, 1/2, 2)", "0.5"),
        ("mean(1, 2, 4)", "7/3 ≈ 2.33333333333333333333"),
        ("sum(1, 2, 3) + abs(-4)", "10"),
        ("sqrt(16/9) * 3", "4"),
        ("sqrt(2)", "1.4142135623730950488"),
        ("9**0.5", "3"),
        ("round(2.5)", "3"),
        ("round(-2.565, 2)", "-2.57"),
        ("floor(-1/2) + ceil(1/2)", "0"),
        ("factorial(20)", "2432902008176640000"),
        ("gcd(12, 18) + lcm(4, 6)", "18"),
        ("log10(1000) + log10(0.001)", "0"),
        ("1.5e3", "1500"),
        ("2 * pi", "6.28318530717958647693"),
        ("10/3 ≈ 3.33", "10/3 ≈ 3.33333333333333333333"),
    ],
)
def test_values(expression: str, expected: str) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "nothing to calculate"),
        ("1 +", "ends too early"),
        ("2 3", "'3' at character 3"),
        ("(1", "not closed"),
        ("1)", "'\\)' at character 2"),
        ("1/0", "divides by zero"),
        ("0**-1", "divides by zero"),
        ("5 % 0", "divides by zero"),
        ("sqrt(-1)", "root of a negative"),
        ("ln(0)", "above 0"),
        ("foo(2)", "'foo'"),
        ("max", "needs parentheses"),
        ("sqrt(1, 2)", "cannot be given 2"),
        ("__import__('os').system('true')", "'_' at character 1"),
        ("1 + $5", "'\\$' at character 5"),
        ("9**9**9**9", "too large"),
        ("2**100000", "too large"),
        ("1e9999", "too large"),
        ("exp(10**9)", "too large"),
        ("factorial(1001)", "0 to 1,000"),
        ("factorial(1000)**9", "too large"),
        ("(" * 41 + "1" + ")" * 41, "deeper than 40"),
        ("2**" * 60 + "1", "deeper than 40"),
        ("1+" * 1000 + "1", "longer than 2,000"),
    ],
)
def test_what_cannot_be_calculated_is_said(expression: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason) as caught:
        value(expression)
    assert caught.value.hint and not caught.value.retryable


def test_an_evidence_is_one_number_whatever_it_looks_like() -> None:
    assert value(told("1 + 2"), " * 3") == "9"
    assert value(told("10/3 ≈ 3.33"), " * 3") == "10"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The tower is 330 metres tall.", "330"),
        ("About 8.1 million people.", "8100000"),
        ("It cost $1,200.", "1200"),
        ("330 m, that is 330 m", "330"),
    ],
)
def test_the_one_number_in_an_evidence_is_taken_and_said(text: str, expected: str) -> None:
    found = output(told(text), " + 0")
    assert found.text == expected
    assert found.note.startswith("evidence3 was read as ")


@pytest.mark.parametrize("text", ["From 3 to 5.", "No idea.", "", "version 1.2.3"])
def test_an_evidence_without_one_number_is_an_error_that_shows_it(text: str) -> None:
    with pytest.raises(ToolError, match="evidence3 holds"):
        value(told(text), " + 1")


def test_evidence_cannot_bring_an_expression_into_the_plans() -> None:
    with pytest.raises(ToolError):
        value("2 * (", told("1) + (2"), ")")


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**9), st.sampled_from("+-*/"))
def test_whole_numbers_are_exact(a: int, b: int, sign: str) -> None:
    expected = {"+": Fraction(a + b), "-": Fraction(a - b), "*": Fraction(a * b), "/": Fraction(a, b)}[sign]
    assert Fraction(value(f"{a} {sign} {b}").partition(" ≈")[0]) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_what_is_written_can_be_read_again(number: Decimal) -> None:
    assert Fraction(value(value(f"{number:f}"))) == Fraction(number)


@given(st.text(alphabet="0123456789.,+-*/%^() eofsqrtmaxround\x00≈=", max_size=60))
def test_any_text_is_a_value_or_a_tool_error(text: str) -> None:
    try:
        assert value(text)
    except ToolError as error:
        assert error.message
