"""Runs plans and keeps their records."""
