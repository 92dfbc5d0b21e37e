"""Being here, it puts this folder on the path: tests in folders below import what all share (stub, sentence)."""
