"""The trace: order, parents, endings, budgets, and what reaches the disk."""

import asyncio
import json
from pathlib import Path

import pytest

from llmlab import trace as tracing
from llmlab.errors import BudgetExceeded, LabError
from llmlab.trace import Budget, Step, Totals, Trace

pytestmark = pytest.mark.anyio
IN, OUT, CACHED = (f"gen_ai.usage.{n}_tokens" for n in ("input", "output", "cache_read.input"))
KEY = "a-very-secret-key-0123456789"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(tracing, "_secrets", set())
    return tracing.hide(KEY)


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
    monkeypatch.setattr(tracing, "_secrets", set())
    trace = Trace()
    trace.event("said", what=KEY)
    tracing.hide(KEY)
    assert KEY not in trace.save(tmp_path / "run.jsonl").read_text(encoding="utf-8")


def test_a_key_with_signs_of_json_in_it_is_hidden_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_secrets", set())
    tracing.hide('a"b\\c"d"e')
    tracing.hide("00000000")
    assert tracing.plain({"key": 'my a"b\\c"d"e!', "many": 100000000}) == {"key": "my [key]!", "many": 100000000}


def test_placeholders_for_a_key_do_not_blank_out_ordinary_words(secret: str) -> None:
    tracing.hide("none")
    assert tracing.redact(f"none of {secret}") == "none of [key]"


def test_a_folder_that_only_begins_like_the_home_folder_keeps_its_name() -> None:
    home = str(Path.home())
    assert tracing.redact(f"{home}, {home}/a, {home}body/b") == f"~, ~/a, {home}body/b"


def test_plain_makes_json_of_anything() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    made = tracing.plain({1: (True, 2.5, None), ("a", 1): Odd(), "set": {3}})
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
