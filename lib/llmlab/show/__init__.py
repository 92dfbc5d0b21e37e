"""How the lab's data looks in a notebook: drawing only, nothing here records or calls a model."""

from llmlab.show.traces import sequence, table, timeline, tree
from llmlab.show.view import COLOURS, Picture, View, compare, table_of

__all__ = ["COLOURS", "Picture", "View", "compare", "sequence", "table", "table_of", "timeline", "tree"]
