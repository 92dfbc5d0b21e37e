"""Wren and Kettle, the shop of the examples: its data, laid out fresh, and five MCP servers over it.

Each server has a function `server(path)` and runs alone: `python -m shop.orders`, over stdio or, with `--http`, over
Streamable HTTP on this machine. Nothing here loads a model's client.
"""

from shop.world import LIMIT, SCHEMA, SOURCE, Rows, Shop, git_environment, lay_out, query, tables

__all__ = ["LIMIT", "SCHEMA", "SOURCE", "Rows", "Shop", "git_environment", "lay_out", "query", "tables"]
