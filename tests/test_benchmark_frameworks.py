"""The benchmark against other frameworks: its tasks, and that a loop is counted as it is. The model is scripted."""

import sys

from benchmark_frameworks import Loop, Meter, measure, surroundings, tasks
from shop import lay_out
from stub import KEY, Stub, error, reply


def test_there_are_thirty_questions_and_our_loop_is_measured_by_what_passes_between_it_and_the_model(tmp_path) -> None:
    db = lay_out(tmp_path / "shop").db
    asked = tasks(db)
    assert len({task["task"] for task in asked}) == 30
    for kind in {task["kind"] for task in asked}:
        answers = [task["expected"] for task in asked if task["kind"] == kind]
        assert max(map(answers.count, answers)) <= 2, "no answer fits most of a kind"
    with (
        Stub() as stub,
        Meter(stub.url) as meter,
        Loop(sys.executable, "llmlab", surroundings(meter.url, KEY, "stub-model", db)) as loop,
    ):
        look_up = reply("", {"get_order": '{"order_id": 1004}'})
        stub.answers = [look_up, reply("It was delivered."), error(400, "too long")]
        first, second = measure({"llmlab": loop}, meter, asked[:2])
    assert "delivered" in stub.asked[1]["messages"][-1]["content"], "the tool was asked"
    assert (first["right"], first["stopped"], first["calls"]) == (True, "done", 2)
    assert (first["input"], first["output"]) == (20, 10)
    assert 0 < first["outside ms"] <= 1000 * first["seconds"] / 2
    assert (second["right"], second["calls"], second["input"]) == (False, 1, 0)
    assert second["stopped"].startswith("RuntimeError: error"), "a failure is a wrong answer, with its reason"
