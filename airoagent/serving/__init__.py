"""Lets browsers and other programs ask: as pages, as an OpenAI-compatible API, and as an MCP server."""

__all__ = ["api", "driver", "http_server", "mcp_tools", "pages"]
