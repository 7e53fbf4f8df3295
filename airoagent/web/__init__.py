"""The one door to the network, links in texts, and web search."""

__all__ = ["addresses", "fetch", "links", "search"]
