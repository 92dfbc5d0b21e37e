"""Slips in the reader's own calls: one sentence that names what is allowed and what came, before anything is sent."""

from collections.abc import Callable
from typing import Any

import openai
import pytest

from llmlab import Budget, LabError, Trace, settings, show
from llmlab.agents import CodeAgent, ToolLoop
from llmlab.llm.chat import Model
from llmlab.tools import tool


def get_order(order_id: int) -> int:
    """Look up an order."""
    return order_id


MODEL = Model(openai.AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:9"), "nobody", "endpoint", settings.load())
SLIPS: list[tuple[str, Callable[[], Any], str]] = [
    ("a number for a text", lambda: MODEL.chat(5), "messages: str | Sequence[Message], but got 5"),
    ("texts for messages", lambda: MODEL.chat(["Hi"]), "but got ['Hi']"),
    ("no message", lambda: MODEL.chat(), "messages: str | Sequence[Message], but got nothing"),
    ("a text for a number", lambda: MODEL.chat("Hi", temperature="hot"), "temperature: float, but got 'hot'"),
    ("a yes for a number", lambda: MODEL.chat("Hi", max_tokens="many"), "max_tokens: int, but got 'many'"),
    ("a misspelt keyword", lambda: MODEL.chat("Hi", temprature=1), "no temprature; did you mean temperature?"),
    ("another one", lambda: MODEL.chat("Hi", max_token=9), "no max_token; did you mean max_tokens?"),
    (
        "a function for a list",
        lambda: MODEL.chat("Hi", tools=get_order),
        "tools: Sequence[Any] | None, but got <function",
    ),
    ("a number for a budget", lambda: Trace(budget=3), "Trace takes budget: Budget | None, but got 3"),
    ("a keyword that is none", lambda: Trace("x", colour="red"), "name, budget, path, but got colour"),
    ("a function for tools", lambda: ToolLoop(MODEL, get_order), "ToolLoop takes tools: Sequence[Tool"),
    ("a number for a tool", lambda: CodeAgent(MODEL, [3]), "CodeAgent takes tools: Sequence[Tool"),
    ("a name for a tool", lambda: ToolLoop(MODEL, ["get_order"]), "but got 'get_order'"),
    ("a text for prompts", lambda: ToolLoop(MODEL, prompts="Hi"), "prompts: dict[str, str] | None, but got 'Hi'"),
    ("a misspelt one of an agent", lambda: ToolLoop(MODEL, prompt={}), "no prompt; did you mean prompts?"),
    ("a text for a trace", lambda: show.sequence("x"), "is a trace or a run, but got 'x'"),
    ("a function for a run", lambda: show.table(get_order), "is a trace or a run, but got <function"),
    ("an agent for a run", lambda: show.tree(ToolLoop(MODEL)), "is a trace or a run"),
    ("a list for a run", lambda: show.timeline([]), "is a trace or a run, but got []"),
]


@pytest.mark.parametrize(("slip", "said"), [case[1:] for case in SLIPS], ids=[case[0] for case in SLIPS])
def test_a_slip_is_named_in_one_sentence(slip: Callable[[], Any], said: str) -> None:
    with pytest.raises(LabError) as caught:
        slip()
    assert said in str(caught.value)
    assert len(str(caught.value)) < 250
    assert len(MODEL.trace) == 0  # nothing was begun


def test_what_is_right_in_another_form_goes_through() -> None:
    agent = ToolLoop(MODEL, (get_order, tool(get_order)), budget=Budget(steps=2))
    assert [each.name for each in agent.tools] == ["get_order", "get_order"]
    MODEL.chat(({"role": "user", "content": "Hi"},), temperature=1, top_p=0.5).close()
    assert show.table(Trace()).text == "The trace is empty."
