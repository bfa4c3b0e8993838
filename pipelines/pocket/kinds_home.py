"""Kinds of household things: cleaning, furniture, tools, paper and what lies about."""

from __future__ import annotations

from pipelines.pocket.parts import Kind

HOME: tuple[Kind, ...] = ()
