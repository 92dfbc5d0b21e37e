"""The trace: order, parents, endings, budgets, what reaches the disk, and going on from there."""

import asyncio
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from llmlab import redaction
from llmlab import trace as tracing
from llmlab.budget import Budget
from llmlab.errors import BudgetExceeded, LabError
from llmlab.trace import Trace

pytestmark = pytest.mark.anyio
IN, OUT, CACHED = (f"gen_ai.usage.{n}_tokens" for n in ("input", "output", "cache_read.input"))
COST = "llmlab.cost"
KEY = "a-very-secret-key-0123456789"


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", set())


def shape(trace: Trace) -> list[tuple[int, int | None, str]]:
    return [(step.id, step.parent, step.name) for step in trace]


def call(trace: Trace, kind: tracing.Kind = "model", **attributes: object) -> None:
    with trace.step(kind, "call", **attributes):
        pass


def test_steps_stand_in_the_order_in_which_they_began_with_their_parents() -> None:
    trace = Trace("run")
    assert trace, "an empty trace is one all the same"
    with trace.span("outer", about="all"):
        with trace.span("inner"), trace.step("model", "chat") as chat:
            assert (chat.status, chat.end, chat.seconds) == ("running", None, 0)
            trace.event("said")
        with trace.step("tool", "clock"):
            pass
    after = trace.event("after", to="editor")
    steps = [(1, None, "outer"), (2, 1, "inner"), (3, 2, "chat"), (4, 3, "said"), (5, 1, "clock"), (6, None, "after")]
    assert shape(trace) == steps
    assert [step.name for step in trace.children(1)] == ["inner", "clock"]
    assert [step.name for step in trace.of("event")] == ["said", "after"]
    assert (trace.steps[0].get("about"), chat.get("nothing", "default")) == ("all", "default")
    assert (after.status, after.seconds, after.get("to")) == ("ok", 0, "editor")
    assert (chat.status, chat.end >= chat.start >= 0) == ("ok", True)


async def test_steps_of_parallel_tasks_and_threads_have_ids_of_their_own_and_the_parent_that_is_open_there() -> None:
    trace, both_open = Trace(), asyncio.Barrier(2)

    async def work(name: str) -> None:
        with trace.span(name) as span:
            await both_open.wait()
            with trace.step("tool", "tool") as step:
                await asyncio.to_thread(lambda: [trace.event("thought", about="x" * i) for i in range(100)])
        assert (span.parent, step.parent) == (1, span.id)
        below = trace.part(span.id)
        assert [s.parent for s in below] == [1, span.id, *[step.id] * 100], "a part holds its own steps only"

    with trace.span("team"):
        await asyncio.gather(work("a"), work("b"))
    assert [step.id for step in trace] == list(range(1, 206))


def test_a_span_of_another_trace_is_no_parent_and_does_not_count_for_the_depth() -> None:
    outer, inner = Trace("outer", Budget(depth=1)), Trace("inner", Budget(depth=1))
    with outer.span("a"):
        # With a parent of its own number this step would stand under itself, and drawing would never end.
        inner.event("b")
        with inner.span("c"):
            outer.event("d")
        with pytest.raises(BudgetExceeded, match="1 spans"), outer.span("too deep"):
            pass
    assert shape(inner) == [(1, None, "b"), (2, None, "c")]
    assert shape(outer) == [(1, None, "a"), (2, 1, "d")]


@pytest.mark.parametrize("error", [ValueError("7"), KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(2)])
def test_an_error_is_told_from_an_interrupt_and_both_go_on(error: BaseException) -> None:
    trace = Trace()
    with trace.span("all"):
        with pytest.raises(type(error)), trace.step("tool", "bad") as bad:
            raise error
        assert trace.event("next").parent == 1
    assert (bad.status, bad.end is None) == ("error" if isinstance(error, Exception) else "interrupted", False)
    assert bad.error == (str(error) or type(error).__name__)
    assert trace.steps[0].status == "ok"


def test_current_is_the_innermost_trace_also_after_an_error() -> None:
    with Trace("a") as a:
        with pytest.raises(ValueError, match="inner"), Trace("b") as b:
            raise ValueError("inner" if tracing.current() is b else "another")
        with a:  # the same one again, as a helper function may do
            assert tracing.current() is a
        assert tracing.current() is a
    assert tracing.current() is None


@pytest.mark.parametrize(
    ("limit", "budget", "attributes", "fits", "says"),
    [
        ("steps", Budget(steps=3), {}, 3, "3 model and tool steps"),
        ("steps", Budget(steps=0), {}, 0, "0 model and tool steps"),
        ("tokens", Budget(tokens=100), {IN: 30, OUT: 20}, 2, "100 tokens"),
        ("money", Budget(money=2e-5), {COST: 1e-5}, 2, "0.000020 in money"),
    ],
)
def test_a_budget_stops_the_call_that_would_go_over_it(
    limit: str, budget: Budget, attributes: dict[str, float], fits: int, says: str
) -> None:
    trace = Trace(budget=budget)
    for kind in ("tool", "model", "model")[:fits]:
        with trace.span("spans and events cost nothing"):
            call(trace, kind, **attributes)
    with pytest.raises(BudgetExceeded, match=rf"{says} .*Budget\({limit}=") as caught:
        call(trace, **attributes)
    assert caught.value.limit == limit
    assert len(trace) == 2 * fits


def test_seconds_and_depth_count_from_where_their_limit_begins() -> None:
    trace = Trace()
    trace.advance_to(1000)
    trace.advance_to(1)  # never back
    with trace.span("a"), trace.span("b"), trace.limit(Budget(seconds=60, depth=1)) as spent:
        with trace.span("over, so that it does not count"):
            pass
        with trace.span("c"), trace.step("tool", "no span"):
            with pytest.raises(BudgetExceeded, match=r"1 spans .*Budget\(depth=") as caught, trace.span("d"):
                pass
            assert caught.value.limit == "depth"
        trace.advance_to(1061)
        with pytest.raises(BudgetExceeded, match=r"60\.0 seconds .*Budget\(seconds="):
            call(trace)
    assert 60.9 <= spent.seconds < 120


async def test_calls_side_by_side_may_not_go_over_a_budget_together() -> None:
    trace = Trace(budget=Budget(steps=7))

    async def one() -> None:
        with trace.step("model", "chat"):
            await asyncio.sleep(0)

    async def part(steps: int) -> int:
        with trace.limit(Budget(steps=steps)) as spent:
            results = await asyncio.gather(*(one() for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(r, BudgetExceeded) for r in results) == 8 - spent.model_calls
        return spent.model_calls

    assert await asyncio.gather(part(3), part(2)) == [3, 2], "parts side by side do not count each other's calls"
    assert await part(8) == 2, "and all together count for the whole"


def test_a_part_of_a_trace_is_held_to_a_budget_of_its_own() -> None:
    trace, other = Trace(), Trace()
    call(trace)
    with trace.limit(Budget(steps=2)) as spent:
        call(other)
        call(trace, **{IN: 10, COST: 0.5})
        call(trace, "tool")
        with pytest.raises(BudgetExceeded, match="2 model and tool steps"):
            call(trace)
    call(trace)
    assert (spent.model_calls, spent.tool_calls, spent.tokens, spent.cost) == (1, 1, 10, 0.5)


def test_totals_are_the_sum_over_the_steps_of_a_trace_or_a_part() -> None:
    trace = Trace()
    call(trace)
    assert trace.totals.cost is None, "without a price the cost is unknown, and not nothing"
    with trace.span("b"):
        call(trace, **{IN: 10, OUT: 5, CACHED: 4, COST: 0.25})
        trace.event("said")
        with trace.span("c"):
            call(trace, "tool")
    call(trace, **{IN: 20, OUT: None, COST: None})
    part = trace.part(2)
    assert shape(part) == [(2, None, "b"), (3, 2, "call"), (4, 2, "said"), (5, 2, "c"), (6, 5, "call")]
    for totals, calls, tokens in ((trace.totals, 3, 35), (part.totals, 1, 15)):
        assert (totals.model_calls, totals.tool_calls, totals.tokens) == (calls, 1, tokens)
        assert (totals.output_tokens, totals.cached_tokens, totals.cost) == (5, 4, 0.25)
    assert trace.totals.seconds == max(step.end or 0 for step in trace)


def test_a_trace_is_plain_data_and_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    trace = Trace("Weg & Ziel")
    text, messages = "Grüße\n안녕 \u2028 \x85 \x0c\r\n 'quoted\" {brace}", [{"role": "user"}]
    with trace.span("all", note=text, odd={1: (True, 2.5, None), ("a", 1): tmp_path, "set": {3}}):
        call(trace, **{IN: 7, COST: 0.5, "llmlab.request": messages})
        with pytest.raises(ValueError), trace.step("tool", "bad"):
            raise ValueError(text)
    messages.append({"role": "late"})
    assert trace.steps[0].get("odd") == {"1": [True, 2.5, None], "('a', 1)": str(tmp_path), "set": "{3}"}
    assert trace.steps[1].request == [{"role": "user"}]
    again = Trace.load(trace.save(tmp_path / "run.jsonl"))
    assert (again.name, again.steps) == (trace.name, trace.steps)
    assert again.event("later").id == len(trace) + 1


def test_with_a_path_each_finished_step_is_on_disk_at_once(tmp_path: Path) -> None:
    trace = Trace("run", path=tmp_path / "run.jsonl")
    assert Trace.load(tmp_path / "run.jsonl").name == "run"
    with trace.span("all") as span:
        span.attributes["where"] = tmp_path  # no JSON
        call(trace)
        # A server that cuts its reply between two tokens can send one half of an emoji's surrogate pair.
        trace.event("said", text="half \ud83d an emoji")
        # As it would be found if the process were killed here: the span runs, and is only in what is saved on purpose.
        assert [step.name for step in Trace.load(tmp_path / "run.jsonl")] == ["call", "said"]
        saved = Trace.load(trace.save(tmp_path / "saved.jsonl"))
        assert [step.status for step in saved] == ["running", "ok", "ok"]
        assert saved.steps[2].get("text") == "half ? an emoji"
    assert [step.name for step in Trace.load(tmp_path / "run.jsonl")] == ["all", "call", "said"]


HEAD = '{"llmlab_trace": 1, "name": "x"}\n'
STEP = '{"id": %s, "parent": null, "kind": "span", "name": "", "start": 0}\n'


@pytest.mark.parametrize("junk", [None, "", '"\udcff"', "[]\n", HEAD + "[1]\n", HEAD + STEP % '"a"' + STEP % 2])
def test_what_is_no_trace_is_refused_in_a_sentence(junk: str | None, tmp_path: Path) -> None:
    file = tmp_path / "junk.jsonl"
    if junk is not None:
        file.write_text(junk, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(LabError, match=r"junk\.jsonl.*check the path"):
        Trace.load(file)


def test_neither_keys_nor_the_home_folder_reach_a_saved_trace(tmp_path: Path) -> None:
    home, file = str(Path.home()), tmp_path / "auto.jsonl"
    late = Trace()
    late.event("said", what=KEY)
    redaction.hide(KEY)
    assert KEY not in late.save(tmp_path / "late.jsonl").read_text(encoding="utf-8")
    trace = Trace(f"run of {KEY}", path=file)
    said = f"Bearer {KEY} in {home}/notes.txt"
    with pytest.raises(ValueError), trace.step("tool", said, **{KEY: {said: [said, (said,), {said}]}}):
        raise ValueError(said)
    with trace.span("late") as step:
        step.attributes["late"] = {"deep": [Path(home) / "x", said]}
    trace.event(said, what=said)
    for saved in (file, trace.save(tmp_path / "saved.jsonl")):
        text = saved.read_text(encoding="utf-8")
        assert [KEY in text, home in text, "[key]" in text, "~/notes.txt" in text] == [False, False, True, True]
        assert len(Trace.load(saved)) == 3


@pytest.mark.parametrize("secret", ['with "quotes"', "back\\slashes", "two\nlines", "ünïcödé-ü", "00000000"])
def test_a_key_is_found_however_json_writes_it_and_no_ordinary_word_is_hidden(secret: str) -> None:
    for hidden in (secret, "open/sesame", "none"):  # the last only stands in for a key
        redaction.hide(hidden)
    home = str(Path.home())
    data = {secret: [f"none of <{secret}>\n"], "number": 100000000, "at": f"{home}, {home}/a, {home}body"}
    clean = {"[key]": ["none of <[key]>\n"], "number": 100000000, "at": f"~, ~/a, {home}body"}
    for written in (json.dumps(data), json.dumps(data, ensure_ascii=False)):
        assert redaction.parsed(written) == redaction.plain(data) == clean
    for odd in (r'"open\/sesame"', r'"\u006fpen/sesame"', r'"open\u002Fsesame"'):
        assert redaction.parsed(odd) == "[key]"


def ask(trace: Trace, asked: Any, answer: str, kind: tracing.Kind = "model") -> str:
    """A call as `Model.chat` and `Tool.call` make it: what was kept is not asked again."""
    with trace.step(kind, "call") as step:
        if kept := trace.kept(step, asked):
            return f"kept {kept.get('answer')}"
        trace.advance_to(step.start + 50)
        step.attributes |= {"answer": answer, IN: 10}
    return answer


def attempt(file: Path, calls: str, name: str = "run") -> str:
    """One attempt of a run: "a1 b2" asks a and b, which are answered with 1 and 2. Returns what each call gave."""
    trace = Trace.resume(file, name)
    return ", ".join(ask(trace, asked, answer) for asked, answer in calls.split())


def test_calls_that_were_finished_are_kept_whatever_their_order(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    assert attempt(file, "a1 a2 b3") == "1, 2, 3"
    assert attempt(file, "a-") == "kept 1", "broken off at once"
    assert attempt(file, "b- a- a- a4 c5") == "kept 3, kept 1, kept 2, 4, 5"
    last = Trace.resume(file, "run", Budget(steps=2))
    assert ask(last, "c", "-") == "kept 5"
    (step,) = last
    assert (step.resumed, step.get(IN), 50 <= step.seconds <= last.now() < 100) == (True, 10, True), "as it was"
    assert ask(last, "a", "tool", kind="tool") == "tool", "a call of another kind is another call"
    with pytest.raises(BudgetExceeded):
        ask(last, "a", "-")
    assert len(Trace.load(file)) == 2, "the last attempt"
    trace = Trace()
    assert [ask(trace, "a", "1"), ask(trace, "a", "2")] == ["1", "2"], "without a file nothing is kept"


def test_a_line_that_was_cut_costs_its_own_call_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    file.touch()  # there was no room for the first line
    attempt(file, "a1 b2")
    for cut in (1, 30, 1):  # twice in a row, in each attempt
        file.write_bytes(file.read_bytes()[:-cut])
        assert attempt(file, "a- b2") == "kept 1, 2"
    assert len(Trace.load(file)) == 2


def test_a_run_goes_on_under_its_own_name_only(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    redaction.hide(KEY)
    name = f"sum of {Path.home()}/a.txt with {KEY}" + "a" * 10_000
    ask(Trace.resume(file, name), f"read {KEY}", f"it is {KEY}")
    assert ask(Trace.resume(file, name), f"read {KEY}", "-") == "kept it is [key]"
    with pytest.raises(LabError, match=r"run\.jsonl holds the run 'sum.*'bbb.*choose another file") as caught:
        Trace.resume(file, "b" * 10_000)
    assert len(str(caught.value)) < 400


def test_a_full_disk_is_said_in_a_sentence_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace.resume(file := tmp_path / "run.jsonl", "run")
    ask(trace, "a", "1")

    def full(descriptor: int) -> None:
        os.truncate(descriptor, os.fstat(descriptor).st_size - 15)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LabError, match=r"No space left on device.*make room"):
            ask(trace, "b", "2")
    ask(trace, "c", "3")  # there is room again
    assert attempt(file, "a- b- c-") == "kept 1, -, kept 3"
