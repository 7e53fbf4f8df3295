"""Runs at rest: what a run is, the store that keeps it, its form as a trace."""
