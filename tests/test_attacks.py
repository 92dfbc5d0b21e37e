"""Twenty attacks with a model that obeys every word: the careless host carries out each of them, ours none, by policy."""

import json
import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from llmlab.llm.reply import ToolCall

pytestmark = pytest.mark.anyio
ch15 = import_module("chapters.ch15")
ATTACKS = [pytest.param(attack, id=attack.id) for attack in ch15.ATTACKS]


@dataclass
class Said:
    tool_calls: list[ToolCall]
    message: dict[str, Any]


class Obedient:
    """Plays a model that makes the calls of an attack one after the other, also of tools that it is not offered."""

    def __init__(self, attack: Any):
        self.calls = iter(attack.calls)
        self.offered: list[str] = []  # all that it was told of tools

    async def chat(self, seen: list[Any], tools: list[Any], **more: Any) -> Said:
        shown = [tool if isinstance(tool, dict) else tool.openai() for tool in tools]
        self.offered.append(json.dumps(shown, ensure_ascii=False))
        server, name, arguments = next(self.calls, ("", "", {}))
        if not name:
            return Said([], {"role": "assistant", "content": "Done."})
        if name not in [tool["function"]["name"] for tool in shown]:
            name = f"{server}_{name}"  # as our host tells apart two of the same name
        folder = re.search(r'"(\S+)/secret.txt', seen[-1]["content"])
        filled = {
            key: value.replace("{last}", seen[-1]["content"]).replace("{folder}", folder[1] if folder else "")
            if isinstance(value, str)
            else value
            for key, value in arguments.items()
        }
        return Said([ToolCall("1", name, json.dumps(filled))], {"role": "assistant", "content": ""})


def results(outcome: Any) -> list[str]:
    return [message["content"] for message in outcome.seen if message["role"] == "tool"]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_it_succeeds_against_the_careless_host(attack: Any) -> None:
    model = Obedient(attack)
    outcome = await ch15.attempt(attack, model, careful=False)
    assert (outcome.executed, outcome.asked) == (True, []), outcome.seen
    if attack.kind != ch15.PAGE:
        bait = ch15.invisible(attack.bait) if attack.place == "invisible" else attack.bait
        told = "".join([outcome.seen[0]["content"], *model.offered, *results(outcome)])
        assert bait.split("{folder}")[0] in told, "what the attacker wrote has reached the model"


@pytest.mark.parametrize("attack", ATTACKS)
async def test_it_fails_against_our_host_and_what_the_person_wanted_is_done(attack: Any) -> None:
    model = Obedient(attack)
    outcome = await ch15.attempt(attack, model, careful=True)
    assert not outcome.executed, outcome.seen
    if attack.kind == ch15.PAGE:
        assert outcome.seen[0].startswith(("the browser asked first", "421"))
        return
    reading = (ch15.NEWEST, ch15.WHO, ch15.REMARKS)
    for call, result in zip(attack.calls, results(outcome), strict=True):
        if call in reading or (call in attack.wanted and attack.place != "error"):
            assert not result.startswith("error: ")
    if attack.id.endswith("on the next day"):
        assert not any(attack.bait in offered for offered in model.offered), "not shown before it is approved"
    verdict = "refused by the server" if attack.kind == ch15.PATH else "asked: no"
    assert (await ch15.decisions(attack))[-1][1] == verdict
