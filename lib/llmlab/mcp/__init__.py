"""The Model Context Protocol in notebooks: a host, its connections, and a tap on the wire."""
