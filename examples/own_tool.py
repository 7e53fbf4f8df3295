"""Give the planner your own tool. A script stands in for the model here; leave it out to use the built-in model."""

from airoagent import Agent, ScriptedModel, tool


@tool
def roman(number: str) -> str:
    """Writes a whole number from 1 to 3999 in Roman numerals."""
    value, numeral = int(number), ""
    for size, letters in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        numeral += letters * (value // size)
        value %= size
    return numeral


def main() -> None:
    """Run a plan that calls the tool."""
    plan = "Plan: Convert the year.\n:evidence0: = roman[2020]\nAnswer: :evidence0:"
    print(Agent(ScriptedModel([plan]), tools=[roman]).run("What is 2020 in Roman numerals?").answer)


if __name__ == "__main__":
    main()
