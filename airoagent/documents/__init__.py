"""Reads pages and files, and searches folders of them."""
