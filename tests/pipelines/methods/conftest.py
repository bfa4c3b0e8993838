"""Fixtures of the methods' tests."""

from __future__ import annotations

from tests.pipelines.one_thread import one_thread

__all__ = ["one_thread"]
