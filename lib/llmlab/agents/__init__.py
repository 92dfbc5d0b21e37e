"""The kinds of agent, side by side. All have the same face: `await Agent(model, …).run(task) -> Run`."""

from llmlab.agents.base import Agent, Repetition
from llmlab.agents.chain_of_thought import ChainOfThought, SelfConsistency
from llmlab.agents.code_agent import CodeAgent
from llmlab.agents.member import Letter, Member
from llmlab.agents.plan_and_act import PlanAndAct
from llmlab.agents.recursive import Recursive
from llmlab.agents.reflective import Criterion, Reflective
from llmlab.agents.run import Run
from llmlab.agents.single_step import SingleStep
from llmlab.agents.task_list import TaskList
from llmlab.agents.team import Team
from llmlab.agents.tool_loop import ToolLoop

__all__ = [
    "Agent",
    "ChainOfThought",
    "CodeAgent",
    "Criterion",
    "Letter",
    "Member",
    "PlanAndAct",
    "Recursive",
    "Reflective",
    "Repetition",
    "Run",
    "SelfConsistency",
    "SingleStep",
    "TaskList",
    "Team",
    "ToolLoop",
]
