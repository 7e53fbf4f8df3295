"""Runs to look at: a page of one run in one file, and a server of all runs on this machine only."""
