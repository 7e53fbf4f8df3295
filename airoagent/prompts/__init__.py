"""Prompts: what models read, byte for byte, the grammars their answers are held to, and the reading of answers."""

__all__ = [
    "chat",
    "context_prompts",
    "context_window",
    "grammar",
    "harmless",
    "own_text",
    "plan_prompts",
    "react_prompts",
    "retries",
    "thoughts",
    "wrappers",
]
