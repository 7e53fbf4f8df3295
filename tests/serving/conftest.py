"""The browser of the tests of the pages."""

from tests.view.conftest import chromium

__all__ = ["chromium"]
