"""What is done with recorded runs: replay, resume, rerun, fork, why, debug, export."""
