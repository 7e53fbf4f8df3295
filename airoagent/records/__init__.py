"""Runs at rest: what a run is, the store that keeps it, its form as a trace."""

__all__ = ["difference", "run_html", "run_record", "store", "upkeep"]
