"""AskUser[question]: what the user answers; offered only when it is named."""

from airoagent import tool


@tool(
    "AskUser",
    outside=False,
    description="Asks the user a question and returns the answer. Use it only for what the user alone can know, such "
    "as a name, a date or a preference.",
    side_effects=True,
    repeatable=True,
    timeout=0,
)
def ask_user(answer: str) -> str:
    """The answer: the runtime asks the question where it asks for approval, and gives the tool what was said."""
    return answer
