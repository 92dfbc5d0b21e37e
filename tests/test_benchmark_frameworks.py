"""The benchmark against other frameworks: its tasks, and that a loop is counted as it is. The model is scripted."""

import sys

from benchmark_frameworks import Loop, Meter, measure, surroundings, tasks
from shop import world
from stub import KEY, Stub, error, reply


def test_there_are_thirty_questions_and_no_answer_fits_most_of_a_kind(tmp_path) -> None:
    asked = tasks(world.lay_out(tmp_path / "shop").db)
    assert len({task.text for task in asked}) == 30
    for kind in {task.kind for task in asked}:
        answers = [task.answer for task in asked if task.kind == kind]
        assert max(map(answers.count, answers)) <= 2


def test_our_loop_is_measured_by_what_passes_between_it_and_the_model(tmp_path, monkeypatch) -> None:
    db = world.lay_out(tmp_path / "shop").db
    monkeypatch.setattr("benchmark_frameworks.tasks", lambda db: tasks(db)[:2])
    with (
        Stub() as stub,
        Meter(stub.url) as meter,
        Loop(sys.executable, "llmlab", surroundings(meter.url, KEY, "stub-model", db)) as loop,
    ):
        look_up = reply("", {"get_order": '{"order_id": 1004}'})
        stub.answers = [look_up, reply("It was delivered."), error(400, "too long")]
        first, second = measure({"llmlab": loop}, meter, db)
    assert "delivered" in stub.asked[1]["messages"][-1]["content"], "the tool was asked"
    assert (first["right"], first["stopped"], first["calls"]) == (True, "done", 2)
    assert (first["input"], first["output"]) == (20, 10)
    assert 0 < first["outside_ms"] <= 1000 * first["seconds"] / 2
    assert (second["right"], second["calls"], second["input"]) == (False, 1, 0)
    assert second["stopped"].startswith("RuntimeError: error"), (
        "a failure of the loop is a wrong answer, with its reason"
    )
