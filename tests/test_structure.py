"""The shape of the library, as a plain graph of its imports: the drawing in `llmlab/__init__.py` holds."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[1] / "lib"
FILES = {
    ".".join(file.relative_to(LIB).with_suffix("").parts).removesuffix(".__init__"): file
    for part in ("llmlab", "shop", "chapters")
    for file in sorted((LIB / part).rglob("*.py"))
}
# Physical lines of all .py files, blank lines and docstrings included. llmlab's goal is 4,200: this may only get smaller.
MOST_LINES = {"llmlab": 6_160, "shop": 750}
BELOW_SHOW = (
    "llmlab.agents",
    "llmlab.llm",
    "llmlab.mcp",
    "llmlab.tools",
    "llmlab.trace",
    "llmlab.wait",
    "llmlab.budget",
    "llmlab.saved",
)


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The modules and names that are imported, also inside functions; not for type checking only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        yield from imports(node)


def arrows() -> dict[str, set[str]]:
    """Which module of ours imports which."""
    found: dict[str, set[str]] = {}
    for name, file in FILES.items():
        wanted = set()
        for module, inner in imports(ast.parse(file.read_text(encoding="utf-8"))):
            target = f"{module}.{inner}" if f"{module}.{inner}" in FILES else module
            if target in FILES:
                wanted.add(target)
        found[name] = wanted
    return found


def lines_of(part: str) -> dict[str, int]:
    return {
        name: len(file.read_text(encoding="utf-8").splitlines())
        for name, file in FILES.items()
        if name.partition(".")[0] == part
    }


@pytest.mark.parametrize("part", MOST_LINES)
def test_a_part_its_modules_and_its_functions_stay_small(part: str) -> None:
    lines = lines_of(part)
    assert sum(lines.values()) <= MOST_LINES[part]
    assert [name for name, count in lines.items() if count > 300] == []
    long = [
        f"{name}.{node.name}"
        for name in lines
        for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert long == []


def test_no_module_imports_a_private_name_of_another() -> None:
    private = [
        (name, module, inner)
        for name, file in FILES.items()
        for module, inner in imports(ast.parse(file.read_text(encoding="utf-8")))
        if module in FILES and inner.startswith("_")
    ]
    assert private == []


def test_nothing_below_the_drawing_imports_it() -> None:
    wrong = {
        name: [module for module in wanted if module.startswith("llmlab.show")]
        for name, wanted in arrows().items()
        if name.startswith(BELOW_SHOW)
    }
    assert {name: modules for name, modules in wrong.items() if modules} == {}


def test_there_is_no_circle_of_imports() -> None:
    graph, done = arrows(), set[str]()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                walk(other, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("server", ["calendar", "messages", "orders", "repository", "sheet"])
def test_a_server_of_the_shop_loads_no_client_of_a_model_and_no_drawing(server: str) -> None:
    code = f"import sys, shop.{server}; print([m for m in ('openai', 'matplotlib', 'ipywidgets') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
