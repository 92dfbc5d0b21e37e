"""The task solver with LangGraph, through LangChain's create_agent, which has replaced its create_react_agent."""

import os
from collections.abc import Callable

from common import MAX_TOKENS, STEPS, TOOLS, serve
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI


def make() -> Callable[[str], str]:
    """Connect to the model that the environment names, and make the agent."""
    model = ChatOpenAI(
        model=os.environ["LLMLAB_MODEL"],
        base_url=os.environ["OPENAI_BASE_URL"],
        temperature=0,
        max_tokens=MAX_TOKENS,
    )
    agent = create_agent(model, TOOLS)

    def solve(task: str) -> str:
        # Each call of the model and each round of tools is one step of the graph.
        ended = agent.invoke({"messages": [{"role": "user", "content": task}]}, {"recursion_limit": 2 * STEPS})
        return ended["messages"][-1].text

    return solve


if __name__ == "__main__":
    serve(make())
