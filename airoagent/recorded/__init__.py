"""What is done with recorded runs: replay, resume, rerun, fork, why, debug, export."""

__all__ = ["debugger", "export", "forecast", "forking", "grounds", "replaying", "resuming"]
