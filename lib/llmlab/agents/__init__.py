"""The kinds of agent, side by side. All have the same face: `await Agent(model, …).run(task) -> Run`."""
# ruff: noqa: F401

from llmlab.agents.base import Agent, Repetition, Run
from llmlab.agents.chain_of_thought import ChainOfThought, SelfConsistency
from llmlab.agents.code_agent import CodeAgent
from llmlab.agents.plan_and_act import PlanAndAct
from llmlab.agents.recursive import Recursive
from llmlab.agents.reflective import Criterion, Reflective
from llmlab.agents.single_step import SingleStep
from llmlab.agents.task_list import TaskList
from llmlab.agents.team import Letter, Member, Team
from llmlab.agents.tool_loop import ToolLoop
