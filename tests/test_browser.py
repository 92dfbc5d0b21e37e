"""The lab as the reader meets it: JupyterLab in a real browser, the real model in the box, mouse and keyboard."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = ROOT / "artefacts"
CHAPTERS = ("00", "01", "04", "10", "12", "13", "14")  # those that are run and looked at here
WINDOW = {"width": 1280, "height": 900}
TALLEST = 16_000  # pixels that Chromium puts into one picture
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SECONDS = 1000  # playwright counts milliseconds
expect.set_options(timeout=60 * SECONDS)  # a model is writing: what takes time here is no failure

FRONT = "window.jupyterapp?.shell?.currentWidget?.context?.path"
# What stands in the page before a kernel is attached looks idle; a run started then would ask which kernel to take.
READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready; await panel.sessionContext.ready; await panel.sessionContext.session.kernel.info;
}"""
SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"
CELLS = "window.jupyterapp.shell.currentWidget.content"
# The lower end of the last cell, once all are drawn and nothing has moved for a while: diagrams come late.
SETTLED = f"""() => {{
  const cells = {CELLS}.widgets, end = cells.at(-1).node.getBoundingClientRect().bottom;
  const drawn = cells.length === {CELLS}.model.cells.length && cells.every(c => c.isAttached && !c.isPlaceholder());
  window.still = drawn && window.end === end ? window.still + 1 : 0;
  window.end = end;
  return window.still > 30 && end;
}}"""


def path(chapter: str) -> str:
    """The reader's copy of a chapter, as JupyterLab names it."""
    [file] = (ROOT / "notebooks").glob(f"{chapter}_*.ipynb")
    return f"work/{file.name}"


class Lab:
    """JupyterLab in a page. Cells are found by a piece of their source, in the notebook that is in front."""

    def __init__(self, page: Page):
        self.page = page

    def command(self, name: str, **arguments: Any) -> None:
        """Carry out a command of JupyterLab, and wait until it is done."""
        self.page.evaluate("async ([c, a]) => { await window.jupyterapp.commands.execute(c, a) }", [name, arguments])

    def bring(self, chapter: str) -> None:
        """Put a chapter in front, opening it if need be."""
        self.command("docmanager:open", path=path(chapter))
        self.page.evaluate(READY)

    def load(self, chapter: str) -> None:
        """Load the page anew, with nothing open but this chapter."""
        self.command("docmanager:save-all")
        self.page.goto(re.sub("/lab/.*", f"/lab/tree/{path(chapter)}?reset", self.page.url))
        self.page.wait_for_function(f"path => {FRONT} === path", arg=path(chapter))
        self.page.evaluate(READY)

    def index(self, source: str) -> int:
        """The place of the first cell whose source holds this text."""
        script = f"text => {CELLS}.widgets.findIndex(c => c.model.sharedModel.getSource().includes(text))"
        found = int(self.page.evaluate(script, source))
        assert found >= 0, f"no cell holds {source!r}"
        return found

    def cell(self, source: str) -> Locator:
        return self.page.locator(f"{SHOWN} .jp-Cell[data-windowed-list-index='{self.index(source)}']")

    def output(self, source: str) -> Locator:
        return self.cell(source).locator(".jp-OutputArea").first

    def write(self, source: str, instead: str) -> None:
        """Replace the source of a cell."""
        self.page.evaluate(
            f"([i, s]) => {CELLS}.widgets[i].model.sharedModel.setSource(s)", [self.index(source), instead]
        )

    def add(self, source: str) -> None:
        """A new cell at the end, which stands there until the test is over."""
        cell = "{cell_type: 'code', source: s, metadata: {scratch: true}}"
        self.page.evaluate(f"s => {{ {CELLS}.model.sharedModel.addCell({cell}) }}", source)

    def clear(self) -> None:
        """Take away the cells that the test added."""
        last = "m.cells.at(-1).getMetadata('scratch')"
        self.page.evaluate(
            f"() => {{ const m = {CELLS}.model.sharedModel; while ({last}) m.deleteCell(m.cells.length - 1) }}"
        )

    def start(self, source: str) -> None:
        """Run a cell, and wait only until it runs."""
        script = f"i => {{ {CELLS}.activeCellIndex = i; void window.jupyterapp.commands.execute('notebook:run-cell') }}"
        self.page.evaluate(script, self.index(source))
        expect(self.cell(source).locator(".jp-InputPrompt")).to_have_text("[*]:")

    def run(self, source: str) -> None:
        """Run a cell to its end."""
        self.page.evaluate(f"i => {{ {CELLS}.activeCellIndex = i }}", self.index(source))
        self.command("notebook:run-cell")

    def results(self) -> list[dict[str, Any]]:
        """The outputs of all cells, as data."""
        return list(self.page.evaluate(f"() => {CELLS}.widgets.flatMap(c => c.model.outputs?.toJSON() ?? [])"))

    def picture(self, name: str) -> None:
        """The whole chapter in front as one picture among the artefacts."""
        self.page.set_viewport_size({**WINDOW, "height": 40_000})  # only what is in the window is drawn
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer").evaluate(
            "e => { e.scrollTop = 0 }"
        )
        end = self.page.wait_for_function(SETTLED).json_value()
        size = {"x": 0, "y": 0, "width": WINDOW["width"], "height": min(end + 10, TALLEST)}
        self.page.screenshot(path=ARTEFACTS / name, clip=size)  # type: ignore[arg-type]
        self.page.set_viewport_size(WINDOW)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium was found; with it (Debian, Ubuntu: apt install chromium) the lab is tested in a browser")


@pytest.fixture(scope="module")
def address(chromium: str, standard: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`llmlab lab`, as the reader starts it, from a copy of the kit: nobody's work/ is touched. Its address with token."""
    kit = tmp_path_factory.mktemp("kit")
    for file in [*ROOT.glob("lib/llmlab/**/*.*"), *ROOT.glob("data/**/*.*"), *ROOT.glob("notebooks/*.ipynb")]:
        if file.is_file() and file.suffix != ".pyc":
            (kit / file.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, kit / file.relative_to(ROOT))
    # The kernels' sockets lie in the runtime folder, and the path of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="lab-") as own:
        folders = {f"JUPYTER_{part}_DIR": f"{own}/{part.lower()}" for part in ("CONFIG", "DATA", "RUNTIME")}
        environment = {**os.environ, **folders, "IPYTHONDIR": f"{own}/ipython", "PYTHONPATH": str(kit / "lib")}
        environment |= {"LLMLAB_STATE": str(kit / "state"), "LLMLAB_BOX": "standard"}
        environment.pop("PYTEST_CURRENT_TEST", None)
        options = ["--no-browser", "--port=0", "--LabApp.expose_app_in_browser=True"]
        server = subprocess.Popen(
            [sys.executable, "-m", "llmlab.cli", "lab", *options],
            cwd=own,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert server.stdout is not None
        try:
            said: list[str] = []
            for line in server.stdout:
                said.append(line)
                if found := re.search(r"http://127\.0\.0\.1:\d+/\S+token=\w+", line):
                    break
            else:
                pytest.fail(f"llmlab lab ended with {server.wait()}: {''.join(said)}")
            threading.Thread(target=server.stdout.read, daemon=True).start()  # a full pipe would stop the server
            yield found[0]
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def visited() -> list[str]:
    """Every address that the page asked for."""
    return []


@pytest.fixture(scope="module")
def opened(chromium: str, address: str, visited: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The browser on the address that the server printed."""
    ARTEFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("chromium"))}
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, env=environment)  # type: ignore[arg-type]
        page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
        page.set_default_timeout(60 * SECONDS)
        page.on("request", lambda request: visited.append(request.url))
        page.on("websocket", lambda socket: visited.append(socket.url))
        page.goto(address)
        page.wait_for_function(f"() => {FRONT}")
        yield Lab(page)
        browser.close()


@pytest.fixture(autouse=True)
def after(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the window showed at the end of each test, whether it passed or not."""
    yield
    if lab := next((v for k, v in request.node.funcargs.items() if k in ("opened", "start", "app", "wire")), None):
        name = re.sub(r"\W+", "_", request.node.name.removeprefix("test_")).strip("_")
        lab.page.screenshot(path=ARTEFACTS / f"{name}.png")
        lab.clear()


@pytest.fixture(scope="module")
def ran(opened: Lab) -> dict[str, list[dict[str, Any]]]:
    """The chapters, run from top to bottom: what their cells gave."""
    given = {}
    for chapter in CHAPTERS:
        opened.bring(chapter)
        opened.command("notebook:run-all-cells")
        given[chapter] = opened.results()
    return given


@pytest.fixture
def start(opened: Lab, ran: object) -> Lab:
    """Chapter 00, run, in front."""
    opened.bring("00")
    return opened


@pytest.fixture
def app(opened: Lab, ran: object) -> Lab:
    """Chapter 01, run, in front."""
    opened.bring("01")
    return opened


@pytest.fixture
def wire(opened: Lab, ran: object) -> Lab:
    """Chapter 13, run, in front."""
    opened.bring("13")
    return opened


def test_the_lab_opens_on_the_readers_copy_of_chapter_00(opened: Lab) -> None:
    opened.page.evaluate(READY)
    assert opened.page.evaluate(f"() => {FRONT}") == path("00")
    expect(opened.page.get_by_role("heading", name="Start here")).to_be_visible()
    expect(opened.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs_from_top_to_bottom_without_an_error(ran: dict[str, list[dict[str, Any]]], chapter: str) -> None:
    assert len(ran[chapter]) > 15
    assert [o for o in ran[chapter] if o["output_type"] == "error" or o.get("name") == "stderr"] == []


def test_the_real_model_answered(start: Lab) -> None:
    card = start.output("reply = await model.chat(")
    expect(card).to_contain_text("Paris")
    expect(card).to_contain_text(
        re.compile(r"embedded: Qwen2\.5-Coder\S* · \d+ tokens in \(\d+ cached\) · \d+ out · [\d.]+ s")
    )
    card.get_by_text("the request, as it was sent").click()
    expect(card.locator("pre").first).to_contain_text('"role": "user"')


def test_the_trace_stands_in_a_table(start: Lab) -> None:
    table = start.output('with Trace("two questions")').get_by_role("table")
    expect(table.get_by_role("caption")).to_contain_text("2 model calls, 0 tool calls")
    expect(table.get_by_role("columnheader")).to_have_text(["#", "kind", "step", "what", "in", "out", "time", "status"])
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("row").nth(1)).to_contain_text("What is snow? → ")


@pytest.mark.parametrize(
    ("chapter", "name"),
    [
        ("00", "The parts of the lab"),
        ("00", "Sequence of two questions"),
        ("00", re.compile("^Timeline: chat took [0-9.]+ s; chat took [0-9.]+ s$")),
        ("01", "A chat application as layers around the API"),
        ("01", "Sequence of by hand"),
        ("01", re.compile("^Tokens sent for one question: bare call [0-9]+, ")),
    ],
)
def test_a_picture_is_drawn_and_has_a_text_alternative(
    opened: Lab, ran: object, chapter: str, name: str | re.Pattern[str]
) -> None:
    opened.bring(chapter)
    picture = opened.page.locator(SHOWN).get_by_role("img", name=name)
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("async e => { await e.decode(); return e.naturalWidth }") > 200


def test_a_prediction_is_made_with_the_keyboard_and_shown_beside_what_happened(start: Lab) -> None:
    expect(start.output("lesson.reveal(")).to_contain_text("Your guess: (none)")
    radios = start.output("lesson.predict(").get_by_role("radio")
    radios.nth(0).focus()
    start.page.keyboard.press("Tab")
    start.page.keyboard.press("Space")
    expect(start.output("lesson.predict(")).to_contain_text("Kept: exactly 7")
    start.run("lesson.reveal(")
    expect(start.output("lesson.reveal(")).to_contain_text("Your guess: exactly 7")
    expect(start.output("lesson.reveal(")).to_contain_text("not as you guessed")
    start.run("lesson.predict(")
    expect(radios.nth(1)).to_be_checked()


def test_an_exercise_gives_hints_one_by_one_and_its_solution_passes(start: Lab) -> None:
    [exercise] = [each for each in import_module("chapters.ch00.exercises").EXERCISES if each.id == "00.2"]
    check = f'lesson.check("{exercise.id}"'
    shown = start.output(check)
    expect(shown).to_contain_text(f"Exercise {exercise.id}: not yet")
    for number in (1, 2):
        shown.get_by_role("button", name="Hint").click()
        expect(shown).to_contain_text(f"Hint {number} of {len(exercise.hints)}")
    shown.get_by_role("button", name="Solution").press("Enter")
    expect(shown).to_contain_text("max(trace.of(")
    start.write(exercise.stub.strip(), exercise.solution.strip())
    start.run(exercise.solution.strip())
    start.run(check)
    expect(shown).to_contain_text(f"Exercise {exercise.id}: passed")
    expect(shown.get_by_role("button")).to_have_count(0)
    start.run("lesson.progress()")
    row = start.output("lesson.progress()").get_by_role("row").nth(1)
    expect(row.get_by_role("cell")).to_have_text(["00_start_here", "yes", "1 of 1", "1 of 3"])


def test_a_choice_arrives_while_another_cell_is_awaiting(start: Lab) -> None:
    code = """import asyncio
from llmlab import lesson
while lesson.kept()["guesses"].get("00.tokens") != "more than 7":
    await asyncio.sleep(0.05)
print("heard")"""
    start.add(code)
    start.start(code)
    start.output("lesson.predict(").get_by_role("radio").nth(2).click()
    expect(start.output(code)).to_contain_text("heard")


def test_a_reply_is_shown_while_it_is_written(start: Lab) -> None:
    code = 'story = await model.chat("Tell me a long story about the sea.", max_tokens=300, ignore_eos=True)\nstory'
    start.add(code)
    start.start(code)
    shown = start.output(code)
    seen = []
    for more in (20, 60):  # characters: it has begun; it goes on
        expect(shown).to_contain_text(re.compile(rf"[^▌]{{{more},}}▌", re.S))
        seen.append(shown.inner_text().rstrip("▌"))
    expect(shown).to_contain_text(" 300 out ")
    expect(shown).not_to_contain_text("▌")
    expect(shown).to_contain_text(seen[0].strip())
    assert seen[0] in seen[1]


def test_an_interrupt_stops_a_generation_and_the_lab_goes_on(start: Lab) -> None:
    code = 'endless = await model.chat("Tell me a long story about the sea.", max_tokens=3000, ignore_eos=True)'
    start.add(code)
    start.start(code)
    expect(start.output(code)).to_contain_text(re.compile(r"[^▌]{20,}▌", re.S))
    start.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    start.page.get_by_role("menuitem", name="Interrupt Kernel").click()
    expect(start.cell(code).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
    expect(start.output(code)).to_have_text(re.compile("^Interrupted: the generation was stopped"))
    start.add("model.trace.steps[-1].status")
    start.run("model.trace.steps[-1].status")
    expect(start.output("model.trace.steps[-1].status")).to_contain_text("'interrupted'")
    start.run("reply = await model.chat(")
    expect(start.output("reply = await model.chat(")).to_contain_text("Paris")


def test_the_playground_compares_the_requests_as_layers_are_switched(app: Lab) -> None:
    shown = app.output("playground(model")
    for name, sent in {
        "memory": "About me: My dog is called Biscuit.",
        "system instructions": '"role": "system"',
        "additions to the prompt": "Answer briefly.",
    }.items():
        expect(shown).to_contain_text(sent)
        shown.get_by_role("checkbox", name=name).press("Space")
        expect(shown).not_to_contain_text(sent)
    expect(shown.locator("pre")).not_to_contain_text(re.compile(r"^\+ (?!sent by)", re.M))
    shown.get_by_role("textbox", name="Question").fill("Who are you?")
    expect(shown).to_contain_text('"content": "Who are you?"')
    for name in ("memory", "system instructions", "additions to the prompt"):
        shown.get_by_role("checkbox", name=name).check()
    shown.get_by_role("textbox", name="Question").fill("What is my dog called?")
    expect(shown).to_contain_text("Question: What is my dog called? Answer briefly.")


def test_the_playground_asks_both_also_while_another_cell_is_awaiting(app: Lab) -> None:
    code = """import asyncio
done = len(model.trace)
while len([s for s in model.trace.steps[done:] if s.end]) < 3:
    await asyncio.sleep(0.05)
print("three calls were made meanwhile")"""
    app.add(code)
    app.start(code)
    shown = app.output("playground(model")
    shown.get_by_role("button", name="Ask both").press("Enter")
    expect(app.output(code)).to_contain_text("three calls were made meanwhile")
    expect(shown).to_contain_text(re.compile(r"embedded: \S+ · \d+ tokens in"))
    expect(shown).to_contain_text(re.compile(r"2 calls · \d+ tokens in"))
    expect(shown).to_contain_text("Would you like to know more?")
    expect(shown.get_by_role("button", name="Ask both")).to_be_enabled()
    bare, with_layers = (shown.get_by_text(who, exact=True).bounding_box() for who in ("the bare call", "the app"))
    assert bare is not None
    assert with_layers is not None
    assert bare["y"] == with_layers["y"], "the replies stand side by side"


def test_the_stepper_walks_through_the_frames_by_button_and_keyboard(wire: Lab) -> None:
    shown = wire.output("frames.stepper(")
    expect(shown).to_contain_text(re.compile(r"1 of \d+.*initialize"))
    shown.get_by_role("button", name="Next").click()
    expect(shown).to_contain_text(re.compile(r"2 of \d+"))
    shown.get_by_role("slider").focus()
    wire.page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text(re.compile(r"3 of \d+.*notifications/initialized"))
    shown.get_by_role("button", name="Back").press("Enter")
    expect(shown).to_contain_text(re.compile(r"2 of \d+"))


BOARD = """from mcp.server import MCPServer
from llmlab.errors import ToolError
from llmlab.mcp.host import Host
from llmlab.show.approval import Approval

board, pinned = MCPServer("board", log_level="WARNING"), []

@board.tool()
def pin(text: str) -> str:
    "Pin a note to the board."
    pinned.append(text)
    return f"pinned: {text}"

host = await Host.open({"board": board}, approve=Approval())"""


@pytest.mark.parametrize(("button", "key", "then"), [("Approve", "", "pinned: milk"), ("Decline", "Enter", "declined")])
def test_a_person_answers_while_the_cell_with_the_call_awaits(wire: Lab, button: str, key: str, then: str) -> None:
    wire.add(BOARD)
    wire.run(BOARD)
    call = """try:
    print(await host.call("board", "pin", {"text": "milk"}), pinned)
except ToolError as error:
    print(error, pinned)
await host.close()"""
    wire.add(call)
    wire.start(call)
    shown = wire.output(call)
    expect(shown).to_contain_text("May this tool be called?")
    expect(shown).not_to_contain_text(then)
    asked = shown.get_by_role("button", name=button)
    asked.press(key) if key else asked.click()
    expect(shown).to_contain_text(then)
    expect(shown).to_contain_text("['milk']" if button == "Approve" else "[]")
    expect(shown.get_by_role("button")).to_have_count(0)


# Texts in outputs whose contrast with what lies behind them (WCAG 2) is below 4.5, or below 3 for signs without words.
FAINT = """() => {
  const parse = c => { const n = c.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1] };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => e ? over(parse(getComputedStyle(e).backgroundColor), behind(e.parentElement)) : [255, 255, 255, 1];
  const opacity = e => e ? Number(getComputedStyle(e).opacity) * opacity(e.parentElement) : 1;
  const faint = [];
  for (const area of document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output')) {
    const walk = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const element = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
      if (!text || !element.checkVisibility()) continue;
      const back = behind(element), [r, g, bl, alpha] = parse(getComputedStyle(element).color);
      const front = over([r, g, bl, alpha * opacity(element)], back);
      const [dim, bright] = [light(front), light(back)].sort((x, y) => x - y);
      const ratio = (bright + 0.05) / (dim + 0.05);
      if (ratio < (/\\p{L}|\\p{N}/u.test(text) ? 4.5 : 3)) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
  }
  return faint;
}"""
NAMELESS = f"""() => [...document.querySelectorAll(`{SHOWN} .jp-OutputArea-output :is(img, button, input, select)`)]
  .filter(e => !(e.alt || e.ariaLabel || e.textContent.trim() || e.labels?.[0]?.textContent.trim())).map(e => e.outerHTML)"""


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_the_chapters_are_readable_in_this_theme(opened: Lab, ran: object, theme: str) -> None:
    opened.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    for chapter in CHAPTERS:
        opened.load(chapter)  # a diagram takes the theme that it finds when it is drawn
        opened.picture(f"{chapter}_{theme.lower()}.png")
        assert opened.page.evaluate(FAINT) == []
        assert opened.page.evaluate(NAMELESS) == []


def test_the_page_talks_to_this_machine_only(visited: list[str], opened: Lab, ran: object) -> None:
    assert len(visited) > 20
    assert [url for url in visited if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", url)] == []
