"""Models behind an OpenAI-compatible server."""

__all__ = ["client", "dialects"]
