"""The task solver with smolagents' ToolCallingAgent."""

import os
from collections.abc import Callable

from common import MAX_TOKENS, STEPS, TOOLS, serve
from smolagents import LogLevel, OpenAIModel, ToolCallingAgent, tool

# It refuses a tool whose arguments are not described in the docstring.
ARGUMENTS = {
    "get_order": "order_id: Number of the order.",
    "get_customer": "name: Name of the customer.",
    "get_return": "order_id: Number of the order.",
}


def make() -> Callable[[str], str]:
    """Connect to the model that the environment names, and make the agent."""
    model = OpenAIModel(
        os.environ["LLMLAB_MODEL"],
        api_base=os.environ["OPENAI_BASE_URL"],
        api_key=os.environ["OPENAI_API_KEY"],
        temperature=0,
        max_tokens=MAX_TOKENS,
    )
    for function in TOOLS:
        function.__doc__ = f"{function.__doc__}\n\nArgs:\n    {ARGUMENTS[function.__name__]}"
    agent = ToolCallingAgent(
        [tool(function) for function in TOOLS], model, max_steps=STEPS, verbosity_level=LogLevel.OFF
    )
    return lambda task: str(agent.run(task))


if __name__ == "__main__":
    serve(make())
