"""Chapter 15's attacks with a model that obeys on purpose: each succeeds where nobody asks, and none gets past approval."""

import json
from importlib import import_module

import pytest

from llmlab import Host
from llmlab.agents import Run, ToolLoop
from llmlab.mcp.host import trusting

pytestmark = pytest.mark.anyio
attacks = import_module("chapters.ch15.attacks")


async def attempt(name: str, model: object, *only: str, **policy: object) -> tuple[bool, Run, str]:
    """Whether it happened, the run, and all that the model was told of tools."""
    with attacks.world(name) as world:
        async with await Host.open(world.servers(*only), **policy) as host:
            run = await ToolLoop(model, host.tools()).run(world.attack.task)  # type: ignore[arg-type]
            return world.done(), run, json.dumps([tool.openai() for tool in host.tools()], ensure_ascii=False)


def yes(*_: object) -> bool:
    return True


@pytest.mark.parametrize("name", attacks.ATTACKS)
async def test_it_succeeds_where_everything_is_approved_and_the_bait_has_reached_the_model(name: str) -> None:
    model = attacks.Obedient(name)
    done, run, told = await attempt(name, model, approve=yes)
    assert (done, run.stopped) == (True, "done")
    assert model.bait in "".join([told, *(str(step.result) for step in run.trace.of("tool"))])


@pytest.mark.parametrize("name", attacks.ATTACKS)
async def test_it_fails_where_the_person_approves_what_was_asked_for_and_that_is_done(name: str) -> None:
    person = attacks.Person(name)
    done, run, _ = await attempt(name, attacks.Obedient(name), approve=person, ask=trusting("messages", "orders"))
    assert not done
    assert person.asked
    declined = [step for step in run.trace.of("tool") if "declined" in str(step.result)]
    assert declined
    if name in ("shadow", "overnight"):
        assert run.trace.of("tool")[-1].status == "ok", "the post that the person asked for is there"


@pytest.mark.parametrize("name", ["shadow", "overnight", "description", "invisible letters"])
async def test_without_the_bait_in_sight_the_obedient_model_only_does_its_task(name: str) -> None:
    with attacks.world(name) as world:
        async with await Host.open(world.servers("messages", "orders"), approve=yes) as host:
            run = await ToolLoop(attacks.Obedient(name), host.tools()).run(world.attack.task)
        assert [step.name for step in run.trace.of("tool")] == [world.attack.asked[1]]
        assert not world.done()


@pytest.mark.parametrize("only", [("messages", "orders"), ("messages", "parcels"), ("orders", "parcels")])
async def test_the_theft_needs_all_three_servers(only: tuple[str, ...]) -> None:
    assert not (await attempt("theft", attacks.Obedient("theft"), *only, approve=yes))[0]


async def test_a_tool_that_came_overnight_is_shown_to_no_model_before_it_is_approved() -> None:
    with attacks.world("overnight") as world:
        async with await Host.open(world.servers(day=1)) as host:
            approved = dict(host.approved)
    done, run, told = await attempt("overnight", attacks.Obedient("overnight"), approve=yes, approved=approved)
    assert (done, attacks.SHADOW in told, run.stopped) == (False, False, "done")
