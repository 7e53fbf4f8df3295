"""Lets other programs ask: as an OpenAI-compatible API, and as an MCP server."""

__all__ = ["api", "mcp_tools"]
