"""The one door to the network, links in texts, and web search."""

__all__ = ["fetch", "links", "search"]
