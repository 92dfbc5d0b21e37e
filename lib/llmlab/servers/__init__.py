"""Our MCP servers over the shop: calendar, orders, repository, sheet, messages.

Each has a function `server(path)` and runs alone: `python -m llmlab.servers.orders`, over stdio or, with `--http`, over
Streamable HTTP on this machine.
"""
