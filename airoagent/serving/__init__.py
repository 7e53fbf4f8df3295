"""Lets other programs ask: as an OpenAI-compatible API, and as an MCP server."""

__all__ = ["api", "chat_request", "mcp_tools"]
