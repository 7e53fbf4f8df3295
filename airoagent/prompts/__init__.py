"""Prompts: what models read, byte for byte, the grammars their answers are held to, and the reading of answers."""

__all__ = [
    "answer_grammar",
    "context_prompts",
    "context_window",
    "grammar",
    "harmless",
    "plan_prompts",
    "thoughts",
    "wrappers",
]
