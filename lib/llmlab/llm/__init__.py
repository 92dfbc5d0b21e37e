"""Calling a model: the request, the reply, and where the model is (in the box, at an endpoint, in a recording)."""
