"""Answers over HTTP, in the form that clients of OpenAI's API know."""

__all__ = ["api"]
