"""Wren and Kettle, the shop of the examples: its data, laid out fresh, and five MCP servers (`python -m shop.orders`)."""

from shop.world import LIMIT, SCHEMA, SOURCE, Rows, Shop, git_environment, lay_out, query, tables

__all__ = ["LIMIT", "SCHEMA", "SOURCE", "Rows", "Shop", "git_environment", "lay_out", "query", "tables"]
