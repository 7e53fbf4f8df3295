"""Your own backend: any class with these members is a model. Here, a rule writes the plan."""

from collections.abc import AsyncIterator
from pathlib import Path

from airoagent import Agent, Chunk, ModelInfo, Prompt, Usage


class RuleModel:
    """Searches for the question in the documents, and answers with the pages found."""

    info = ModelInfo("rule", "own", context_length=None, wrapper="none")

    def wrap(self, prompt: str) -> str:
        """The exact text that the model reads, for the record; there is no chat template here."""
        return prompt

    def count_tokens(self, text: str) -> int:
        """Count words as tokens."""
        return len(text.split())

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """Write the completion in pieces; the last one says why it ended and how many tokens it took."""
        question = prompt.text.rpartition("Question: ")[2]
        text = f"Plan: Search.\n:evidence0: = DocumentSearch[{question}]\nAnswer: :evidence0:"
        for line in text.splitlines(keepends=True):
            yield Chunk(line)
        yield Chunk("", "stop", Usage(self.count_tokens(prompt.text), self.count_tokens(text), 1))

    async def aclose(self) -> None:
        """There is nothing to close."""


if __name__ == "__main__":
    run = Agent(RuleModel(), docs=[Path(__file__).parent / "library"], store=False).run("How deep is Lake Baikal?")
    print(run.answer)
