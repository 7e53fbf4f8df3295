"""What a tool is, how it is called, and where tools are found."""

__all__ = ["arguments", "loader", "mcp_servers", "offering", "tool"]
