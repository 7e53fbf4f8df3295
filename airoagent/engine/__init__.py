"""Runs plans and keeps their records."""

__all__ = [
    "approval",
    "conclusion",
    "context_texts",
    "function_call",
    "planning",
    "policy",
    "provenance",
    "recorder",
    "results",
    "reuse",
    "scheduler",
    "session",
    "structured",
    "sync",
    "tasks",
]
