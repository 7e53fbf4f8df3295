"""CodeWriter[what to write]: asks the model for a program, and gives nothing but the program."""

from __future__ import annotations

from airoagent import (
    ContextBlock,
    Evidence,
    ToolContext,
    ToolError,
    ToolOutput,
    closed_context_prompt,
    code_prompt,
    read_code,
    tool,
)


@tool(
    "CodeWriter",
    outside=False,
    description="Writes a program, a script or a function. The input must say what it shall do and in which language, "
    "with all requirements. The output is only the code; it is not run.",
    timeout=0,
)
async def code_writer(input: str, context: ToolContext) -> ToolOutput:
    """The code as a model writes it under PLAINFORMAT; evidence is given to it as blocks of input, not as orders.

    ToolError where the input is empty or the model wrote no code.
    """
    parts = context.parts or (input,)
    given = [part for part in parts if isinstance(part, Evidence)]
    asked = "".join("the input" if isinstance(part, Evidence) else part for part in parts).strip()
    if not asked:
        raise ToolError("the input of CodeWriter is empty", "e.g. CodeWriter[a web server in Python]")
    prompt = code_prompt(asked, await context.style())
    if given:
        blocks = [
            ContextBlock(text, tuple(("url", source.url) for source in sources[:8] if source.url))
            for evidence in given
            for text, sources in evidence.blocks()
        ]
        prompt = closed_context_prompt(blocks, prompt)
    completion = await context.ask(prompt, "code")
    code = read_code(completion.text)
    if not code.strip():
        raise ToolError("the model wrote no code", "say more exactly what to write")
    note = "the code was cut off by the model's token limit" if completion.finish == "length" else ""
    return ToolOutput(code, note=note)
