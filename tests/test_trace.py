"""The trace: order, parents, endings, budgets, and what reaches the disk."""

import asyncio
import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from llmlab import redaction
from llmlab import trace as tracing
from llmlab.budget import Budget, Totals
from llmlab.errors import BudgetExceeded, LabError
from llmlab.trace import Step, Trace
from sentence import is_one_sentence

pytestmark = pytest.mark.anyio
IN, OUT, CACHED = (f"gen_ai.usage.{n}_tokens" for n in ("input", "output", "cache_read.input"))
KEY = "a-very-secret-key-0123456789"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(redaction, "_secrets", set())
    return redaction.hide(KEY)


def shape(trace: Trace) -> list[tuple[int, int | None, str]]:
    return [(step.id, step.parent, step.name) for step in trace]


def test_steps_stand_in_the_order_in_which_they_began_with_their_parents() -> None:
    trace = Trace("run")
    with trace.span("outer", about="all"):
        with trace.span("inner"), trace.step("model", "chat"):
            trace.event("said")
        with trace.step("tool", "clock"):
            pass
    trace.event("after")
    assert shape(trace) == [
        (1, None, "outer"),
        (2, 1, "inner"),
        (3, 2, "chat"),
        (4, 3, "said"),
        (5, 1, "clock"),
        (6, None, "after"),
    ]
    assert [step.kind for step in trace] == ["span", "span", "model", "event", "tool", "event"]
    assert [step.name for step in trace.children(1)] == ["inner", "clock"]
    assert [step.name for step in trace.children(None)] == ["outer", "after"]
    assert [step.name for step in trace.of("event")] == ["said", "after"]
    assert trace.steps[0].get("about") == "all"
    assert trace.steps[0].get("nothing", "default") == "default"
    assert len(trace) == 6


def test_a_running_step_has_no_end_and_a_finished_one_has() -> None:
    trace = Trace()
    with trace.step("model", "chat") as step:
        assert (step.status, step.end, step.seconds) == ("running", None, 0)
    assert step.status == "ok"
    assert step.end is not None
    assert step.end >= step.start >= 0


def test_an_event_takes_no_time() -> None:
    event = Trace().event("sent", to="editor")
    assert (event.status, event.seconds, event.get("to")) == ("ok", 0, "editor")


async def test_steps_of_parallel_tasks_get_the_parent_that_is_open_in_their_task() -> None:
    trace = Trace()
    both_open = asyncio.Barrier(2)

    async def work(name: str) -> None:
        with trace.span(name):
            await both_open.wait()
            with trace.step("tool", f"{name}'s tool"):
                await both_open.wait()

    with trace.span("team"):
        await asyncio.gather(work("a"), work("b"))
    by_name = {step.name: step for step in trace}
    assert by_name["a"].parent == by_name["b"].parent == by_name["team"].id
    assert by_name["a's tool"].parent == by_name["a"].id
    assert by_name["b's tool"].parent == by_name["b"].id


async def test_steps_added_from_threads_have_ids_of_their_own_and_the_parent_of_the_caller() -> None:
    trace = Trace()

    def work() -> None:
        for i in range(50):
            trace.event("thought", about="x" * i)

    with trace.span("tools") as span:
        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(4)))
    assert [step.id for step in trace] == list(range(1, 202))
    assert {step.parent for step in trace.of("event")} == {span.id}


def test_a_span_of_another_trace_is_no_parent() -> None:
    outer, inner = Trace("outer"), Trace("inner")
    with outer.span("a"):
        # With a parent of its own number this step would stand under itself, and drawing would never end.
        inner.event("b")
        with inner.span("c"):
            outer.event("d")
    assert shape(inner) == [(1, None, "b"), (2, None, "c")]
    assert shape(outer) == [(1, None, "a"), (2, 1, "d")]


def test_an_error_ends_a_step_with_its_sentence_and_goes_on_to_the_caller() -> None:
    trace = Trace()
    with pytest.raises(ZeroDivisionError), trace.span("all"), trace.step("tool", "divide"):
        _ = 1 / 0
    assert [(s.status, s.error) for s in trace] == [("error", "division by zero")] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(2)])
def test_an_interrupt_is_told_from_an_error_and_goes_on_to_the_caller(error: BaseException) -> None:
    trace = Trace()
    with pytest.raises(type(error)), trace.step("model", "chat"):
        raise error
    assert trace.steps[0].status == "interrupted"
    assert trace.steps[0].error == (str(error) or type(error).__name__)
    assert trace.steps[0].end is not None


async def test_a_cancelled_task_leaves_an_interrupted_step() -> None:
    trace, begun = Trace(), asyncio.Event()

    async def work() -> None:
        with trace.step("model", "chat"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert trace.steps[0].status == "interrupted"


def test_after_an_error_the_next_step_has_the_right_parent() -> None:
    trace = Trace()
    with trace.span("all"):
        with pytest.raises(ValueError), trace.step("tool", "bad"):
            raise ValueError
        trace.event("next")
    assert trace.steps[-1].parent == 1


def test_current_is_the_innermost_trace_also_after_an_error() -> None:
    assert tracing.current() is None
    with Trace("a") as a:
        with pytest.raises(ValueError, match="the inner one"), Trace("b") as b:
            raise ValueError("the inner one" if tracing.current() is b else "another")
        assert tracing.current() is a
        with a:  # the same one again, as a helper function may do
            assert tracing.current() is a
        assert tracing.current() is a
    assert tracing.current() is None


async def test_two_tasks_may_enter_the_same_trace() -> None:
    trace, both_in = Trace(), asyncio.Barrier(2)

    async def work() -> None:
        with trace:
            await both_in.wait()
            assert tracing.current() is trace
        assert tracing.current() is None

    await asyncio.gather(work(), work())


def test_an_empty_trace_is_a_trace_all_the_same() -> None:
    assert Trace()
    assert len(Trace()) == 0


def call(trace: Trace, kind: tracing.Kind = "model", **attributes: object) -> None:
    with trace.step(kind, "call", **attributes):
        pass


@pytest.mark.parametrize(
    ("budget", "attributes", "fits"),
    [
        (Budget(steps=3), {}, 3),
        (Budget(tokens=100), {IN: 30, OUT: 20}, 2),
        (Budget(money=0.02), {"llmlab.cost": 0.01}, 2),
        (Budget(steps=0), {}, 0),
    ],
)
def test_a_budget_stops_the_call_that_would_go_over_it(budget: Budget, attributes: dict[str, float], fits: int) -> None:
    trace = Trace(budget=budget)
    for _ in range(fits):
        call(trace, **attributes)
    limit = next(name for name in ("money", "tokens", "steps") if getattr(budget, name) != getattr(Budget(), name))
    with pytest.raises(BudgetExceeded, match=rf"The budget allows .*its trace kept.*Budget\({limit}=") as caught:
        call(trace, **attributes)
    assert caught.value.limit == limit
    assert len(trace) == fits


def test_a_budget_in_seconds_stops_a_run() -> None:
    trace = Trace(budget=Budget(seconds=60))
    call(trace)
    trace.advance_to(61)
    with pytest.raises(BudgetExceeded, match=r"allows 60\.0 seconds and 61\.\d seconds are used") as caught:
        call(trace, "tool")
    assert caught.value.limit == "seconds"


def test_a_budget_counts_tools_and_lets_spans_and_events_pass() -> None:
    trace = Trace(budget=Budget(steps=2))
    with trace.span("all"):
        call(trace, "tool")
        call(trace, "model")
        trace.event("thought")
    trace.event("thought")
    with pytest.raises(BudgetExceeded, match="2 model and tool steps"):
        call(trace, "tool")


async def test_calls_side_by_side_may_not_go_over_the_budget_together() -> None:
    trace, begun = Trace(budget=Budget(steps=3)), []

    async def one() -> None:
        with trace.step("model", "chat"):
            begun.append(1)
            await asyncio.sleep(0)

    results = await asyncio.gather(*(one() for _ in range(8)), return_exceptions=True)
    assert len(begun) == 3
    assert sum(isinstance(r, BudgetExceeded) for r in results) == 5


def test_without_limits_a_budget_stops_nothing() -> None:
    Budget(steps=None, tokens=None, seconds=None, money=None).check(
        Totals(model_calls=10**6, input_tokens=10**9, seconds=1e9, cost=1e9)
    )


def test_totals_are_the_sum_over_the_steps() -> None:
    trace = Trace()
    call(trace, **{IN: 10, OUT: 5, CACHED: 4, "llmlab.cost": 0.25})
    call(trace, **{IN: 20, OUT: None, "llmlab.cost": None})
    call(trace, "tool")
    trace.event("thought")
    totals = trace.totals
    assert (totals.steps, totals.model_calls, totals.tool_calls) == (4, 2, 1)
    assert (totals.input_tokens, totals.output_tokens, totals.cached_tokens, totals.tokens) == (30, 5, 4, 35)
    assert totals.cost == 0.25
    assert totals.seconds == max(step.end or 0 for step in trace)


def test_without_a_price_the_cost_is_unknown_and_not_nothing() -> None:
    trace = Trace()
    call(trace)
    assert trace.totals.cost is None


def test_the_clock_can_be_set_forward_but_never_back() -> None:
    trace = Trace()
    trace.advance_to(100)
    assert 100 <= trace.now() < 160
    trace.advance_to(1)
    assert trace.now() >= 100


def test_a_trace_is_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    trace = Trace("Weg & Ziel")
    text = "Grüße\n안녕 \u2028 \x85 \x0c\r\n 'quoted\" {brace}"
    with trace.span("all", note=text):
        call(trace, **{IN: 7, "llmlab.cost": 0.5, "llmlab.request": {"messages": [{"content": text}], "n": None}})
        with pytest.raises(ValueError), trace.step("tool", "bad"):
            raise ValueError(text)
    again = Trace.load(trace.save(tmp_path / "run.jsonl"))
    assert again.steps == trace.steps
    assert (again.name, again.totals) == (trace.name, trace.totals)
    again.event("later")
    assert again.steps[-1].id == len(trace) + 1


def test_half_a_character_does_not_keep_a_trace_from_the_disk(tmp_path: Path) -> None:
    # A server that cuts its reply between two tokens can send one half of an emoji's surrogate pair.
    trace = Trace(path=tmp_path / "auto.jsonl")
    trace.event("said", text="half \ud83d an emoji")
    for saved in (tmp_path / "auto.jsonl", trace.save(tmp_path / "run.jsonl")):
        assert Trace.load(saved).steps[0].get("text") == "half ? an emoji"


def test_a_trace_can_be_saved_while_a_step_runs(tmp_path: Path) -> None:
    trace = Trace()
    with trace.span("all") as step:
        step.attributes["where"] = tmp_path  # no JSON
        again = Trace.load(trace.save(tmp_path / "run.jsonl"))
    assert again.steps[0].status == "running"
    assert again.steps[0].end is None


def test_with_a_path_each_finished_step_is_on_disk_at_once(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    trace = Trace("run", path=file)
    assert json.loads(file.read_text(encoding="utf-8")) == {"llmlab_trace": 1, "name": "run"}
    with trace.span("all"):
        call(trace)
        trace.event("said")
        # As it would be found if the process were killed here: the span runs, and is not there.
        assert [step.name for step in Trace.load(file)] == ["call", "said"]
    assert Trace.load(file).steps == trace.steps


JUNK = {
    "empty": b"",
    "no JSON": b"hello\nworld\n",
    "no UTF-8": b'{"name": "\xff"}\n',
    "no header": b"[]\n",
    "a header without a name": b'{"llmlab_trace": 1}\n',
    "a step that is a list": b'{"llmlab_trace": 1, "name": "x"}\n[1]\n',
    "a step without its fields": b'{"llmlab_trace": 1, "name": "x"}\n{"id": 1}\n',
    "an unknown field": b'{"name": "x"}\n{"id": 1, "parent": null, "kind": "span", "name": "", "start": 0, "color": 1}\n',
    "attributes that are none": b'{"name": "x"}\n{"id": 1, "parent": null, "kind": "span", "name": "", "start": 0, "attributes": 3}\n',
    "ids of two kinds": b'{"name": "x"}\n'
    + b"".join(b'{"id": %s, "parent": null, "kind": "span", "name": "", "start": 0}\n' % i for i in (b'"a"', b"2")),
}


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK.keys())
def test_what_is_no_trace_is_refused_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "junk.jsonl"
    file.write_bytes(content)
    with pytest.raises(LabError, match=r"junk\.jsonl is not one .*check the path"):
        Trace.load(file)


def test_a_missing_file_and_a_folder_are_refused_in_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.jsonl", tmp_path):
        with pytest.raises(LabError, match="check the path"):
            Trace.load(path)


def test_neither_keys_nor_the_home_folder_reach_a_saved_trace(secret: str, tmp_path: Path) -> None:
    home = str(Path.home())
    file = tmp_path / "auto.jsonl"
    trace = Trace(f"run of {secret}", path=file)
    said = f"Bearer {secret} in {home}/notes.txt"
    with pytest.raises(ValueError), trace.step("tool", said, **{secret: {said: [said, (said,), {said}]}}):
        raise ValueError(said)
    with trace.span("late") as step:
        step.attributes["late"] = {"deep": [Path(home) / "x", said]}
    trace.event(said, what=said)
    for saved in (file, trace.save(tmp_path / "saved.jsonl")):
        text = saved.read_text(encoding="utf-8")
        assert secret not in text
        assert home not in text
        assert "[key]" in text
        assert "~/notes.txt" in text
        assert len(Trace.load(saved)) == 3


def test_a_key_that_is_hidden_late_is_not_saved_either(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(redaction, "_secrets", set())
    trace = Trace()
    trace.event("said", what=KEY)
    redaction.hide(KEY)
    assert KEY not in trace.save(tmp_path / "run.jsonl").read_text(encoding="utf-8")


def test_a_key_with_signs_of_json_in_it_is_hidden_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", set())
    redaction.hide('a"b\\c"d"e')
    redaction.hide("00000000")
    assert redaction.plain({"key": 'my a"b\\c"d"e!', "many": 100000000}) == {"key": "my [key]!", "many": 100000000}


@pytest.mark.parametrize("secret", ["plain-plain", 'with "quotes"', "back\\slashes", "two\nlines", "ünïcödé-ü"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_parsed_finds_a_key_however_json_writes_it(
    secret: str, ascii_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_secrets", {secret})
    written = json.dumps({secret: [f"<{secret}>\n", {"deep": secret}]}, ensure_ascii=ascii_only)
    assert redaction.parsed(written) == {"[key]": ["<[key]>\n", {"deep": "[key]"}]}


def test_parsed_finds_a_key_and_the_home_folder_behind_odd_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {"open/sesame"})
    for odd in (r'"open\/sesame"', r'"\u006fpen/sesame"', r'"open\u002Fsesame"'):
        assert redaction.parsed(odd) == "[key]"
    home = str(Path.home())
    assert redaction.parsed(json.dumps(f"{home}/a\n{home}\n{home}body")) == f"~/a\n~\n{home}body"


def test_parsed_looks_into_no_string_where_there_is_nothing_to_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {"open-sesame"})
    monkeypatch.setattr(tracing, "plain", lambda _: pytest.fail("looked"))
    said = {"text": 'two lines:\n"quoted", C:\\dir, öäü'}
    assert redaction.parsed(json.dumps(said, ensure_ascii=False)) == said


def test_placeholders_for_a_key_do_not_blank_out_ordinary_words(secret: str) -> None:
    redaction.hide("none")
    assert redaction.redact(f"none of {secret}") == "none of [key]"


def test_a_folder_that_only_begins_like_the_home_folder_keeps_its_name() -> None:
    home = str(Path.home())
    assert redaction.redact(f"{home}, {home}/a, {home}body/b") == f"~, ~/a, {home}body/b"


def test_plain_makes_json_of_anything() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    made = redaction.plain({1: (True, 2.5, None), ("a", 1): Odd(), "set": {3}})
    assert made == {"1": [True, 2.5, None], "('a', 1)": "odd", "set": "{3}"}
    assert json.loads(json.dumps(made)) == made


def test_plain_copies_so_that_a_later_change_does_not_alter_the_trace() -> None:
    messages = [{"role": "user"}]
    event = Trace().event("sent", messages=messages)
    messages.append({"role": "late"})
    assert event.get("messages") == [{"role": "user"}]


def test_a_step_is_plain_data() -> None:
    step = Step(1, None, "span", "all", 0.0)
    assert (step.attributes, step.error) == ({}, None)


# --- Depth, and budgets of a part -------------------------------------------------------------------------------------


def test_a_budget_in_depth_stops_the_span_that_would_be_too_deep() -> None:
    trace = Trace(budget=Budget(depth=2))
    with trace.span("a"), trace.step("tool", "t"), trace.span("b"):
        call(trace)  # a call is no span
        with (
            pytest.raises(BudgetExceeded, match=r"allows 2 spans inside each other .*Budget\(depth=") as caught,
            trace.span("c"),
        ):
            pass
    assert caught.value.limit == "depth"
    assert [step.name for step in trace] == ["a", "t", "b", "call"]
    with trace.span("d"), trace.span("e"):  # what is over does not count
        pass


def test_spans_of_another_trace_do_not_count_for_the_depth() -> None:
    trace = Trace(budget=Budget(depth=1))
    with Trace().span("another"), trace.span("a"):
        pass
    assert len(trace) == 1


def test_a_part_of_a_trace_is_held_to_a_budget_of_its_own() -> None:
    trace = Trace(budget=Budget(steps=6))
    call(trace)
    with trace.limit(Budget(steps=2)) as spent:
        call(trace, **{IN: 10, "llmlab.cost": 0.5})
        call(trace, "tool")
        with pytest.raises(BudgetExceeded, match="allows 2 model and tool steps"):
            call(trace)
    assert (spent.model_calls, spent.tool_calls, spent.tokens, spent.cost) == (1, 1, 10, 0.5)
    for _ in range(3):
        call(trace)
    with trace.limit(Budget(steps=100)), pytest.raises(BudgetExceeded, match="allows 6 model and tool steps"):
        call(trace)
    assert trace.totals.model_calls + trace.totals.tool_calls == 6


@pytest.mark.parametrize(("inner", "outer", "fits"), [(2, 9, 2), (9, 3, 3), (None, 3, 3)])
def test_of_limits_inside_each_other_the_narrower_one_holds(inner: int | None, outer: int, fits: int) -> None:
    trace = Trace()
    with trace.limit(Budget(steps=outer)), trace.limit(Budget(steps=inner)):
        for _ in range(fits):
            call(trace)
        with pytest.raises(BudgetExceeded, match=f"allows {fits} "):
            call(trace)
    call(trace)


def test_seconds_and_depth_of_a_part_count_from_its_beginning() -> None:
    trace = Trace()
    trace.advance_to(1000)
    with trace.span("a"), trace.span("b"), trace.limit(Budget(seconds=60, depth=1)) as spent:
        with trace.span("c"):
            call(trace)
            with pytest.raises(BudgetExceeded, match="1 spans inside each other"), trace.span("d"):
                pass
        trace.advance_to(1061)
        with pytest.raises(BudgetExceeded, match="seconds"):
            call(trace)
    assert 60.9 <= spent.seconds < 120


def test_a_limit_holds_for_its_own_trace_only() -> None:
    trace, other = Trace(), Trace()
    with trace.limit(Budget(steps=0)) as spent:
        call(other)
    assert (len(other), spent.steps) == (1, 0)


async def test_limits_of_parallel_parts_do_not_count_each_others_calls() -> None:
    trace, both = Trace(), asyncio.Barrier(2)

    async def work(steps: int) -> int:
        with trace.limit(Budget(steps=steps)) as spent:
            await both.wait()
            with contextlib.suppress(BudgetExceeded):
                while True:
                    call(trace)
                    await asyncio.sleep(0)
        return spent.model_calls

    assert await asyncio.gather(work(2), work(5)) == [2, 5]


async def test_calls_side_by_side_may_not_go_over_the_limit_of_their_part_together() -> None:
    trace = Trace()

    async def one() -> None:
        with trace.step("model", "chat"):
            await asyncio.sleep(0)

    with trace.limit(Budget(steps=3)) as spent:
        await asyncio.gather(*(one() for _ in range(8)), return_exceptions=True)
    assert spent.model_calls == 3


def test_money_that_is_nearly_nothing_is_told_exactly() -> None:
    trace = Trace(budget=Budget(money=2e-5))
    call(trace, **{"llmlab.cost": 3e-5})
    with pytest.raises(BudgetExceeded, match=r"allows 0\.000020 in money and 0\.000030 in money"):
        call(trace)


# --- A part of a trace ------------------------------------------------------------------------------------------------


def test_a_part_is_a_step_with_all_below_it() -> None:
    trace = Trace()
    with trace.span("a"):
        call(trace, **{IN: 1})
    with trace.span("b"):
        with trace.span("c"):
            call(trace, "tool", **{IN: 2})
        trace.event("said")
    call(trace, **{IN: 4})
    part = trace.part(3)
    assert shape(part) == [(3, None, "b"), (4, 3, "c"), (5, 4, "call"), (6, 3, "said")]
    assert (part.name, part.totals.tokens, part.totals.tool_calls, part.totals.model_calls) == ("b", 2, 1, 0)
    assert trace.totals.tokens == 7


async def test_parts_of_runs_side_by_side_are_told_apart() -> None:
    trace, both = Trace(), asyncio.Barrier(2)

    async def work(name: str) -> int:
        with trace.span(name) as span:
            await both.wait()
            call(trace, "tool", by=name)
            await both.wait()
        return span.id

    for name, root in zip("ab", await asyncio.gather(work("a"), work("b")), strict=True):
        assert [step.get("by", step.name) for step in trace.part(root)] == [name, name]


# --- Going on with a saved run ----------------------------------------------------------------------------------------


def ask(trace: Trace, asked: Any, answer: str, seconds: float = 0, kind: tracing.Kind = "model") -> str:
    """A call as `Model.chat` and `Tool.call` make it: what was kept is not asked again."""
    with trace.step(kind, "call") as step:
        if kept := trace.kept(step, asked):
            return f"kept {kept.get('answer')}"
        trace.advance_to(step.start + seconds)
        step.attributes["answer"] = answer
    return answer


def test_calls_that_were_finished_are_kept_when_the_run_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    first = Trace.resume(file, "run")
    assert [ask(first, "a", "1"), ask(first, "b", "2")] == ["1", "2"]
    again = Trace.resume(file, "run")
    assert [ask(again, "b", "-"), ask(again, "a", "-"), ask(again, "c", "3")] == ["kept 2", "kept 1", "3"]
    assert [step.get("llmlab.resumed", False) for step in again] == [True, True, False]
    last = Trace.resume(file, "run")
    assert [ask(last, x, "-") for x in "abc"] == ["kept 1", "kept 2", "kept 3"]
    assert len(Trace.load(file)) == 3


def test_the_same_call_made_twice_is_kept_twice_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    first = Trace.resume(file, "run")
    for answer in "123":
        ask(first, {"ask": "roll", "n": [1]}, answer)
    again = Trace.resume(file, "run")
    assert [ask(again, {"n": [1], "ask": "roll"}, "4") for _ in range(4)] == ["kept 1", "kept 2", "kept 3", "4"]


def test_a_call_of_another_kind_is_another_call(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    ask(Trace.resume(file, "run"), "a", "1")
    assert ask(Trace.resume(file, "run"), "a", "2", kind="tool") == "2"


def test_a_call_that_failed_or_was_interrupted_is_not_kept(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    first = Trace.resume(file, "run")
    for error in (ValueError(), KeyboardInterrupt()):
        with contextlib.suppress(type(error)), first.step("model", "call") as step:
            first.kept(step, "a")
            raise error
    assert [step.status for step in first] == ["error", "interrupted"]
    assert ask(Trace.resume(file, "run"), "a", "1") == "1"


def test_a_call_that_is_kept_takes_as_long_and_counts_as_much_as_it_did(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    first = Trace.resume(file, "run")
    with first.step("model", "call") as step:
        first.kept(step, "a")
        first.advance_to(step.start + 50)
        step.attributes |= {IN: 10, "llmlab.cost": 0.5}
    trace = Trace.resume(file, "run", Budget(steps=1))
    ask(trace, "a", "-")
    assert (trace.totals.tokens, trace.totals.cost) == (10, 0.5)
    assert 50 <= trace.now() < 110
    assert trace.steps[0].seconds >= 50
    with pytest.raises(BudgetExceeded):
        ask(trace, "b", "-")


def test_without_a_file_nothing_is_kept() -> None:
    trace = Trace()
    assert [ask(trace, "a", "1"), ask(trace, "a", "2")] == ["1", "2"]
    assert "llmlab.key" not in trace.steps[0].attributes


def test_a_longer_attempt_is_kept_though_a_shorter_one_came_after_it(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    first = Trace.resume(file, "run")
    for x in "abc":
        ask(first, x, x)
    ask(Trace.resume(file, "run"), "a", "-")  # broken off at once
    third = Trace.resume(file, "run")
    assert [ask(third, x, "-") for x in "abc"] == ["kept a", "kept b", "kept c"]


def test_a_line_that_was_cut_is_passed_over_and_the_next_attempt_stands_on_its_own_line(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    first = Trace.resume(file, "run")
    ask(first, "a", "1")
    ask(first, "b", "2")
    for cut in (1, 30, 1):  # twice in a row, in each attempt
        file.write_bytes(file.read_bytes()[:-cut])
        again = Trace.resume(file, "run")
        assert ask(again, "a", "-") == "kept 1"
        ask(again, "b", "2")
    assert len(Trace.load(file)) == 2


def test_a_file_that_got_no_room_for_its_first_line_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    file.touch()
    assert ask(Trace.resume(file, "run"), "a", "1") == "1"
    assert len(Trace.load(file)) == 1


def test_the_run_of_another_name_is_refused_in_a_short_sentence(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    Trace.resume(file, "a" * 10_000)
    with pytest.raises(LabError, match=r"run\.jsonl holds the run 'aaa") as caught:
        Trace.resume(file, "b" * 10_000)
    assert is_one_sentence(str(caught.value))
    assert len(str(caught.value)) < 400


def test_a_run_whose_name_holds_a_key_or_the_home_folder_goes_on(secret: str, tmp_path: Path) -> None:
    file, name = tmp_path / "run.jsonl", f"sum of {Path.home()}/a.txt with {secret}"
    ask(Trace.resume(file, name), f"read {secret}", f"it is {secret}")
    assert ask(Trace.resume(file, name), f"read {secret}", "-") == "kept it is [key]"


def test_a_full_disk_is_said_in_a_sentence_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.jsonl"
    trace = Trace.resume(file, "run")
    ask(trace, "a", "1")

    def full(descriptor: int) -> None:
        os.truncate(descriptor, os.fstat(descriptor).st_size - 15)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LabError) as caught:
            ask(trace, "b", "2")
    assert is_one_sentence(str(caught.value))
    assert "No space left on device" in str(caught.value)
    assert len(trace) == 2
    ask(trace, "c", "3")  # there is room again
    again = Trace.resume(file, "run")
    assert [ask(again, x, "-") for x in "abc"] == ["kept 1", "-", "kept 3"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_disk_that_is_really_full_is_said_in_the_same_sentence() -> None:
    with pytest.raises(LabError, match="No space left on device"):
        Trace("run", path="/dev/full")
