"""Ask any chat model behind an OpenAI-compatible server: python examples/chat_server.py http://127.0.0.1:8080

An airoboros model knows the form of plans; other models get examples of it, through the server's chat route.
"""

import sys
from pathlib import Path

from airoagent import Agent, open_model

LIBRARY = Path(__file__).parent / "library"


def main() -> int:
    """Let the model plan and read; print the plan, the answer and how many tokens it took."""
    model = open_model(sys.argv[1], options={"style": "chat", "route": "chat"})
    run = Agent(model, docs=[LIBRARY], store=False).run("How deep is Lake Baikal?")
    if run.plan:
        print(run.plan.to_text())
    if run.failure:
        print(run.failure.message, run.failure.hint, sep="\n", file=sys.stderr)
        return run.failure.exit_code
    print(run.answer)
    print(f"{run.usage.prompt_tokens} tokens read, {run.usage.completion_tokens} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
