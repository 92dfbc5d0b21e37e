"""The pieces of chapter 10: both jobs by all their variants, teams that grow, and checks that know right work from wrong."""

import json
from importlib import import_module
from typing import Any

import pytest

from llmlab import agents, lesson
from shop import Shop, lay_out
from stub import Raw, Stub, reply

pytestmark = pytest.mark.anyio
ch10 = import_module("chapters.ch10")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


class Office(Stub):
    """Calls the tool that a goal asks for, and else says all that it has read."""

    def next(self, body: Any) -> Raw:
        said = [str(message["content"]) for message in body["messages"]]
        said = [line for text in said for line in text.splitlines() if "oolong: " in line] or said
        calls = {
            "Search the documents": {"search_documents": '{"product": "oolong"}'},
            "Ask the database": {"ask_database": '{"product": "oolong"}'},
            "Publish": {"publish": json.dumps({"text": " ".join(said)})},
        }
        last = body["messages"][-1]
        for goal, call in calls.items():
            if last["role"] == "user" and last["content"].startswith(goal):
                return Raw(json.dumps(reply("", call)))
        return Raw(json.dumps(reply(" ".join(said))))


async def test_a_note_that_is_published_counts_and_one_that_is_only_said_does_not(world: Shop) -> None:
    with Office() as stub:
        model = await stub.model()
        rows = {row["variant"]: row for row in await ch10.do_notes(model, world, ["oolong"])}
        await model.aclose()
    right = {name: row["right"] for name, row in rows.items()}
    assert list(right.values()) == [False, False, True, True], rows
    assert rows["one agent"]["published"] == ""
    assert rows["one agent, asked to go on"]["calls"] == 4 * rows["one agent"]["calls"]


async def test_a_packing_note_is_judged_by_the_details_that_are_left(world: Shop) -> None:
    letter = next(iter(ch10.LETTERS))
    assert [ch10.missing(each, each) for each in ch10.LETTERS] == [[]] * 6
    assert (
        ch10.missing(letter.replace("Pier Road 5", "5 Pier Road").replace("14 December", "December 14"), letter) == []
    )
    assert ch10.missing(letter.replace("1042", "11042").replace("Nora", "nobody"), letter) == ["1042", "Nora"]
    with Office() as stub:
        model = await stub.model()
        rows = await ch10.do_letters(model, [letter])
        await model.aclose()
    assert [row["right"] for row in rows] == [True] * 4, rows
    read = [letter in str(body["messages"][-1]["content"]) for body in stub.asked[-8:]]
    assert read == [True] * 8
    assert [len(details) - len(ch10.missing("", text)) for text, details in ch10.LETTERS.items()] == [0] * 6


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_letters_grow_with_the_writers_or_with_their_square(size: int) -> None:
    for everybody, wanted in ((False, 2 * size + 1), (True, (size + 1) ** 2)):
        run = await ch10.growing(size, everybody, "A part.").run("A text.")
        assert len(run.notes["letters"]) == wanted


# Exercises: more than one way is right, and a wrong one is told what is wrong

TALKS = {
    "comprehension": 'pairs = [(s.get("sender"), s.get("to")) for s in trace.of("event") if s.name == "letter"]\n'
    "    return {p: pairs.count(p) for p in pairs}",
    "counter": "from collections import Counter\n"
    '    return Counter((s.get("sender"), s.get("to")) for s in trace if s.name == "letter")',
    "loop": 'found = {}\n    for s in trace.steps:\n        if s.kind == "event" and s.name == "letter":\n'
    '            key = (s.attributes["sender"], s.attributes["to"])\n'
    "            found[key] = found.get(key, 0) + 1\n    return found",
}
NO_TALKS = {
    "a tea break": 'pairs = [(s.get("sender"), s.get("to")) for s in trace.of("event")]\n'
    "    return {p: pairs.count(p) for p in pairs}",
    "the pairs are": 'names = [s.get("sender") for s in trace.of("event") if s.name == "letter"]\n'
    "    return {n: names.count(n) for n in names}",
    "each pair has two": 'return {(s.get("sender"), s.get("to")): 1 for s in trace.of("event") if s.name == "letter"}',
    "nothing": 'return {("you", "a"): 2}',
    "your code stopped with": 'return {s["sender"]: 1 for s in trace}',
}
FIRST = "done = await self.first.run(run.task)"
SECOND = "done = await self.second.run(run.task)"
SUBSTITUTE = {
    "flag": f"try:\n            {FIRST}\n        except Exception:\n            done = None\n"
    f"        if done is None or not done.ok:\n            {SECOND}\n        run.answer = str(done)",
    "loop": "for agent in (self.first, self.second):\n            try:\n                done = await agent.run(run.task)\n"
    "            except Exception:\n                continue\n            if done.ok:\n                break\n"
    "        run.answer = done.answer",
    "narrow": f"try:\n            {FIRST}\n            if done.stopped != 'done':\n                raise ValueError\n"
    f"        except (ValueError, ArithmeticError):\n            {SECOND}\n        run.answer = done.answer",
}
NO_SUBSTITUTE = {
    "ZeroDivisionError": f"{FIRST}\n        run.answer = str(done)",
    "is stopped, the answer is 'second'": f"try:\n            {FIRST}\n        except Exception:\n            {SECOND}\n"
    "        run.answer = str(done)",
    "is done, the substitute gets the task 0 times": f"try:\n            {FIRST}\n        except Exception:\n            done = None\n"
    f"        other = await self.second.run(run.task)\n        run.answer = str(done if done and done.ok else other)",
    "is done, the answer is 'first'": f"{SECOND}\n        run.answer = str(done)",
    "substitute gets the task 1 times": "try:\n            done = await self.first.run(run.task)\n        except Exception:\n"
    "            done = None\n        if done is None or not done.ok:\n"
    "            done = await self.second.run('again')\n        run.answer = str(done)",
}
CALL = "super().answer(member, task, read)"
LATE = 'return "failure", f"{member.name} was late"'
PUNCTUAL = {
    "timeout": f"try:\n            async with asyncio.timeout(self.seconds):\n                return await {CALL}\n"
    f"        except TimeoutError:\n            {LATE}",
    "wait_for": f"try:\n            return await asyncio.wait_for({CALL}, self.seconds)\n"
    f"        except asyncio.TimeoutError:\n            {LATE}",
    "wait": f"work = asyncio.create_task({CALL})\n        done, _ = await asyncio.wait([work], timeout=self.seconds)\n"
    f"        if not done:\n            work.cancel()\n            {LATE}\n        return work.result()",
}
NOT_PUNCTUAL = {
    "the team waits for it": f"return await {CALL}",
    "the letter of the slow member has to be a failure": f"try:\n            async with asyncio.timeout(self.seconds):\n"
    f"                return await {CALL}\n        except TimeoutError:\n            return 'result', 'slow was late'",
    "who was late": f"try:\n            async with asyncio.timeout(self.seconds):\n                return await {CALL}\n"
    "        except TimeoutError:\n            return 'failure', 'late'",
    "the letter of the quick member has to be a result": LATE,
    "a TimeoutError came out of it": f"async with asyncio.timeout(self.seconds):\n            return await {CALL}",
}
STUBS = {
    "10.1": "def talks(trace):\n    {}\n",
    "10.2": "class WithSubstitute(Agent):\n    def __init__(self, first, second):\n        super().__init__(first.model)\n"
    "        self.first, self.second = first, second\n\n    async def work(self, run):\n        {}\n",
    "10.3": "class Punctual(Team):\n    seconds = 0.2\n\n    async def answer(self, member, task, read):\n        {}\n",
}
RIGHT = {"10.1": TALKS, "10.2": SUBSTITUTE, "10.3": PUNCTUAL}
WRONG = {"10.1": NO_TALKS, "10.2": NO_SUBSTITUTE, "10.3": NOT_PUNCTUAL}


async def checked(exercise: str, body: str) -> str:
    names: dict[str, Any] = {"Agent": agents.Agent, "Team": agents.Team, "asyncio": import_module("asyncio")}
    exec(STUBS[exercise].replace("{}", body), names)
    work = names[STUBS[exercise].split()[1].partition("(")[0]]
    return str((await lesson.check(exercise, work))._repr_mimebundle_()["text/plain"])


@pytest.mark.parametrize(("exercise", "how"), [(e, how) for e in RIGHT for how in RIGHT[e]])
async def test_more_than_one_way_passes(exercise: str, how: str) -> None:
    assert (await checked(exercise, RIGHT[exercise][how])).endswith("passed")


@pytest.mark.parametrize(("exercise", "why"), [(e, why) for e in WRONG for why in WRONG[e]])
async def test_what_is_wrong_is_told(exercise: str, why: str) -> None:
    failed = [line for line in (await checked(exercise, WRONG[exercise][why])).splitlines() if line.startswith("✗")]
    assert any(why in line for line in failed), failed
