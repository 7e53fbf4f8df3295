"""Runs to look at: a page of one run in one file, reports, a card in a notebook, and spans."""

__all__ = ["page", "report", "spans"]
