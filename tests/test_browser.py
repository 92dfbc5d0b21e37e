"""The lab as the reader meets it: JupyterLab in a real browser, mouse and keyboard.

Every chapter runs here from top to bottom and is looked at, by its recording where there is one; some are answered by
the real model in the box.
"""

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
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from classroom import routes
from llmlab import cli
from llmlab.notebooks import chapter_files

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "no Chromium was found; with it (Debian, Ubuntu: apt install chromium) the lab is tested in a browser"
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason=MISSING)]

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = ROOT / "artefacts"
CHAPTERS = [file.name[:2] for file in chapter_files()]
LIVE = ("00", "01")  # those that the model in the box answers here
TRIED = (*LIVE, "13")  # those with widgets that are tried here: their kernels stay
WINDOW: Any = {"width": 1280, "height": 900}
TALLEST = 16_000  # pixels that Chromium puts into one picture
SMALLEST = 12  # pixels of a text in a diagram
SEEN = 0.03  # of the pixels of its box: so much of a text in a diagram has contrast
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
MINUTE = 60_000  # playwright counts milliseconds
expect.set_options(timeout=MINUTE)  # a model is writing: what takes time here is no failure

FRONT = "window.jupyterapp?.shell?.currentWidget?.context?.path"
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"


def path(chapter: str) -> str:
    """The reader's copy of a chapter, as JupyterLab names it."""
    [file] = (ROOT / "notebooks").glob(f"{chapter}_*.ipynb")
    return f"work/{file.name}"


class Lab:
    """JupyterLab in a page. Cells are found by a piece of their source, in the notebook that is in front."""

    def __init__(self, page: Page):
        self.page, self.visited = page, list[str]()
        page.on("request", lambda request: self.visited.append(request.url))
        page.on("websocket", lambda socket: self.visited.append(socket.url))

    def script(self, code: str, given: Any = None) -> Any:
        """Run JavaScript that knows `app`, the `panel` in front, its notebook `nb`, what is `given`, and browser.js."""
        known = "const app = window.jupyterapp, panel = app.shell.currentWidget, nb = panel?.content"
        return self.page.evaluate(f"async given => {{ {known}; {code} }}", given)

    def command(self, name: str, **arguments: Any) -> None:
        """Carry out a command of JupyterLab, and wait until it is done."""
        self.script("await app.commands.execute(...given)", [name, arguments])

    def bring(self, chapter: str) -> None:
        """Put a chapter in front, opening it if need be."""
        self.command("docmanager:open", path=path(chapter))
        self.script("await lab.attached(panel)")

    def index(self, source: str) -> int:
        """The place of the first cell whose source holds this text."""
        found = self.script("return nb.widgets.findIndex(c => c.model.sharedModel.getSource().includes(given))", source)
        assert found >= 0, f"no cell holds {source!r}"
        return int(found)

    def part(self, source: str, inside: str) -> Locator:
        cell = f".jp-Cell[data-windowed-list-index='{self.index(source)}']"
        return self.page.locator(f"{PANEL} {cell} {inside}").first

    def output(self, source: str, chapter: str = "") -> Locator:
        """The output of a cell, of the chapter in front or of another that is brought there."""
        if chapter:
            self.bring(chapter)
        return self.part(source, ".jp-OutputArea")

    def start(self, source: str) -> Locator:
        """Run a new cell at the end, which stands there until the test is over; wait only until it runs."""
        self.script("lab.add(panel, given)", source)
        self.script("nb.activeCellIndex = given; void app.commands.execute('notebook:run-cell')", self.index(source))
        expect(self.part(source, ".jp-InputPrompt")).to_have_text("[*]:")
        return self.output(source)

    def run(self, source: str) -> None:
        """Run a cell to its end."""
        self.script("nb.activeCellIndex = given; await app.commands.execute('notebook:run-cell')", self.index(source))


@pytest.fixture(scope="module")
def address(standard: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`llmlab lab`, as the reader starts it, from a copy of the kit: nobody's work/ is touched. Its address with token."""
    kit = tmp_path_factory.mktemp("kit")
    for name in ("lib", "data", "notebooks"):
        shutil.copytree(ROOT / name, kit / name, ignore=shutil.ignore_patterns("__pycache__"))
    # The kernels' sockets lie in the runtime folder, and the path of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="lab-") as own:
        folders = {f"JUPYTER_{part}_DIR": f"{own}/{part.lower()}" for part in ("CONFIG", "DATA", "RUNTIME")}
        environment = {**os.environ, **folders, "IPYTHONDIR": f"{own}/ipython", "PYTHONPATH": str(kit / "lib")}
        environment |= {"LLMLAB_STATE": str(kit / "state"), "LLMLAB_BOX": "standard"}
        environment["LLMLAB_REPLAY"] = str(kit / "data" / "recordings")
        environment.pop("PYTEST_CURRENT_TEST", None)
        options = ["--no-browser", "--port=0", "--LabApp.expose_app_in_browser=True"]
        out: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        command = [sys.executable, "-m", "llmlab.cli", "lab", *options]
        with subprocess.Popen(command, cwd=own, env=environment, **out) as server:
            try:
                said = ""
                while not (found := re.search(r"http://127\.0\.0\.1:\d+/\S+token=\w+", said)):
                    said += (line := server.stdout.readline())
                    assert line, f"llmlab lab ended with {server.wait()}: {said}"
                threading.Thread(target=server.stdout.read, daemon=True).start()  # a full pipe would stop the server
                yield found[0]
            finally:
                server.terminate()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, with a profile of its own."""
    ARTEFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        environment: Any = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("chromium"))}
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, env=environment)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(address: str, browser: Browser) -> Lab:
    """The browser on the address that the server printed."""
    page = browser.new_page(viewport=WINDOW)
    page.set_default_timeout(MINUTE)
    page.add_init_script(path=Path(__file__).with_name("browser.js"))
    lab = Lab(page)
    page.goto(address)
    page.wait_for_function(f"() => {FRONT}")
    return lab


NO_REPLAY = 'import os; os.environ["LLMLAB_REPLAY"] = ""'


@pytest.fixture(scope="module")
def ran(opened: Lab) -> dict[str, list[dict[str, Any]]]:
    """The chapters, run from top to bottom: the outputs of all their cells, as data."""
    given = {}
    for chapter in CHAPTERS:
        opened.bring(chapter)
        if chapter in LIVE:
            opened.script("lab.add(panel, given)", NO_REPLAY)
            opened.run(NO_REPLAY)
            opened.script("lab.clear(panel)")
        opened.script("await lab.runAll(app, panel)")
        given[chapter] = list(opened.script("return nb.widgets.flatMap(c => c.model.outputs?.toJSON() ?? [])"))
        if chapter not in TRIED:
            opened.script("await app.serviceManager.sessions.shutdown(panel.sessionContext.session.id)")
    return given


@pytest.fixture
def lab(request: pytest.FixtureRequest, opened: Lab, ran: object) -> Iterator[Lab]:
    """The lab after all chapters have run. What the window shows at the end is kept, whether the test passed or not."""
    yield opened
    opened.page.screenshot(path=ARTEFACTS / f"{request.node.originalname}.png")
    opened.script("lab.clear(panel)")


def test_the_lab_opens_on_the_readers_copy_of_chapter_00(opened: Lab) -> None:
    opened.script("await lab.attached(panel)")
    assert opened.page.evaluate(f"() => {FRONT}") == path("00")
    expect(opened.page.get_by_role("heading", name="Start here")).to_be_visible()
    expect(opened.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs_from_top_to_bottom_without_an_error(ran: dict[str, list[dict[str, Any]]], chapter: str) -> None:
    assert len(ran[chapter]) > 15
    assert [o for o in ran[chapter] if o["output_type"] == "error" or o.get("name") == "stderr"] == []


def test_the_real_model_answered_and_its_trace_stands_in_a_table(lab: Lab) -> None:
    card = lab.output("reply = await model.chat(", "00")
    expect(card).to_contain_text("Paris")
    expect(card).to_contain_text(re.compile(r"embedded: Qwen2\.5-Coder\S* · \d+ tokens in .* · \d+ out · [\d.]+ s"))
    card.get_by_text("the request, as it was sent").click()
    expect(card.locator("pre").first).to_contain_text('"role": "user"')
    shown = lab.output('with Trace("two questions")')
    expect(shown).to_contain_text("2 model calls, 0 tool calls")
    table = shown.get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(["#", "kind", "step", "what", "in", "out", "time", "status"])
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("row").nth(1)).to_contain_text("What is snow? → ")


def test_a_prediction_is_made_with_the_keyboard_and_shown_beside_what_happened(lab: Lab) -> None:
    shown = lab.output("lesson.reveal(", "00")
    expect(shown).to_contain_text("Your guess: (none)")
    radios = lab.output("lesson.predict(").get_by_role("radio")
    radios.nth(0).press("Tab")
    lab.page.keyboard.press("Space")
    expect(lab.output("lesson.predict(")).to_contain_text("Kept: exactly 7")
    lab.run("lesson.reveal(")
    expect(shown).to_contain_text("Your guess: exactly 7")
    expect(shown).to_contain_text("not as you guessed")
    lab.run("lesson.predict(")
    expect(radios.nth(1)).to_be_checked()


def test_an_exercise_gives_hints_one_by_one_and_its_solution_passes(lab: Lab) -> None:
    [exercise] = [each for each in import_module("chapters.ch00.exercises").EXERCISES if each.id == "00.2"]
    stub, solution = exercise.stub.strip(), exercise.solution.strip()
    shown = lab.output(check := 'lesson.check("00.2"', "00")
    expect(shown).to_contain_text("Exercise 00.2: not yet")
    for number in (1, 2):
        shown.get_by_role("button", name="Hint").click()
        expect(shown).to_contain_text(f"Hint {number} of {len(exercise.hints)}")
    shown.get_by_role("button", name="Solution").press("Enter")
    expect(shown).to_contain_text("max(trace.of(")
    lab.script("nb.widgets[given[0]].model.sharedModel.setSource(given[1])", [lab.index(stub), solution])
    for cell in (solution, check, "lesson.progress()"):
        lab.run(cell)
    expect(shown).to_contain_text("Exercise 00.2: passed")
    expect(shown.get_by_role("button")).to_have_count(0)
    cells = lab.output("lesson.progress()").get_by_role("row").nth(1).get_by_role("cell")
    expect(cells).to_have_text(["00_start_here", "yes", "1 of 1", "1 of 3"])


def test_a_reply_is_shown_while_it_is_written(lab: Lab) -> None:
    lab.bring("00")
    shown = lab.start(
        'await model.chat("Tell me a long story about the sea.", max_tokens=300, ignore_eos=True, stream=True)'
    )
    seen = []
    for more in (20, 60):  # characters: it has begun; it goes on
        expect(shown).to_contain_text(re.compile(rf"[^▌]{{{more},}}▌", re.S))
        seen.append(shown.inner_text().rstrip("▌"))
    expect(shown).to_contain_text(" 300 out ")
    expect(shown).not_to_contain_text("▌")
    expect(shown).to_contain_text(seen[0].strip())
    assert seen[0] in seen[1]


ENDLESS = """try:
    await model.chat("Tell me a long story about the sea.", max_tokens=3000, ignore_eos=True, stream=True)
finally:
    print("the step is", model.trace.steps[-1].status)"""


def test_an_interrupt_stops_a_generation_and_the_lab_goes_on(lab: Lab) -> None:
    card = lab.output("reply = await model.chat(", "00")
    shown = lab.start(ENDLESS)
    expect(shown).to_contain_text(re.compile(r"[^▌]{20,}▌", re.S))
    lab.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    lab.page.get_by_role("menuitem", name="Interrupt Kernel").click()
    expect(shown).to_have_text(re.compile(r"^the step is interrupted\s*Interrupted: the generation was stopped"))
    lab.run("reply = await model.chat(")
    expect(card).to_contain_text("Paris")


SENT = {"memory": "About me: I am", "system instructions": '"role": "system"', "additions to the prompt": "ten words."}


def test_the_playground_compares_the_requests_as_layers_are_switched_and_asks_both(lab: Lab) -> None:
    shown = lab.output("playground(model", "01")
    question = shown.get_by_role("textbox", name="Question")
    for name, sent in SENT.items():
        expect(shown).to_contain_text(sent)
        shown.get_by_role("checkbox", name=name).press("Space")
        expect(shown).not_to_contain_text(sent)
    expect(shown.locator("pre")).not_to_contain_text(re.compile(r"^\+ (?!sent by)", re.M))
    question.fill("Who are you?")
    expect(shown).to_contain_text('"content": "Who are you?"')
    for name in SENT:
        shown.get_by_role("checkbox", name=name).check()
    question.fill("What is my dog called?")
    expect(shown).to_contain_text("Question: What is my dog called? Answer in at most ten words.")
    shown.get_by_role("button", name="Ask both").press("Enter")
    expect(shown).to_contain_text(re.compile(r"embedded: \S+ · \d+ tokens in"))
    expect(shown).to_contain_text(re.compile(r"2 calls · \d+ tokens in"))
    expect(shown).to_contain_text("Would you like to know more?")
    expect(shown.get_by_role("button", name="Ask both")).to_be_enabled()
    bare, app = (shown.get_by_text(who, exact=True).bounding_box() or {} for who in ("the bare call", "the app"))
    assert bare["y"] == app["y"], "the replies stand side by side"


def test_the_stepper_walks_through_the_frames_by_button_and_keyboard(lab: Lab) -> None:
    shown = lab.output("frames.stepper(", "13")
    expect(shown).to_contain_text(re.compile(r"1 of \d+.*initialize"))
    shown.get_by_role("button", name="Next").click()
    expect(shown).to_contain_text(re.compile(r"2 of \d+"))
    shown.get_by_role("slider").press("ArrowRight")
    expect(shown).to_contain_text(re.compile(r"3 of \d+.*notifications/initialized"))
    shown.get_by_role("button", name="Back").press("Enter")
    expect(shown).to_contain_text(re.compile(r"2 of \d+"))


BOARD = """from mcp.server import MCPServer
from llmlab.mcp.host import Host
from llmlab.show.approval import Approval

board, pinned = MCPServer("board", log_level="WARNING"), []

@board.tool()
def pin(text: str) -> str:
    "Pin a note to the board."
    pinned.append(text)
    return f"pinned: {text}"

async with await Host.open({"board": board}, approve=Approval()) as host:
    print((await host.tools()[0].call({"text": "milk"})).text, pinned)"""


@pytest.mark.parametrize(("button", "then"), [("Approve", r"pinned: milk \['milk'\]"), ("Decline", r"declined.* \[\]")])
def test_a_person_answers_while_the_cell_with_the_call_awaits(lab: Lab, button: str, then: str) -> None:
    lab.bring("13")
    shown = lab.start(BOARD)
    expect(shown).to_contain_text("May this tool be called?")
    expect(shown).not_to_contain_text(re.compile(then))
    asked = shown.get_by_role("button", name=button)
    asked.click() if button == "Approve" else asked.press("Enter")
    expect(shown).to_contain_text(re.compile(then))
    expect(shown.get_by_role("button")).to_have_count(0)


def switch(lab: Lab, theme: str) -> None:
    """Change the theme, and wait until it is there; colours may pass slowly into each other."""
    lab.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    lab.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=f"JupyterLab {theme}")
    lab.page.wait_for_timeout(400)


def seen_anew(lab: Lab, chapter: str, theme: str) -> None:
    """The page anew, with nothing open but this chapter, all of it in the window and drawn in this theme."""
    switch(lab, theme)
    lab.command("docmanager:save-all")
    page = lab.page
    page.goto(re.sub("/lab/.*", f"/lab/tree/{path(chapter)}?reset", page.url))
    page.wait_for_function(f"path => {FRONT} === path", arg=path(chapter))
    lab.script("await lab.attached(panel)")
    page.set_viewport_size({**WINDOW, "height": 40_000})  # only what is in the window is drawn
    lab.script("panel.node.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    end = page.wait_for_function("() => lab.settled(window.jupyterapp.shell.currentWidget)").json_value()
    size: Any = {"x": 0, "y": 0, "width": WINDOW["width"], "height": min(end + 10, TALLEST)}
    page.screenshot(path=ARTEFACTS / f"{chapter}_{theme.lower()}.png", clip=size)


DRAWN = [*((chapter, "Light") for chapter in CHAPTERS), ("00", "Dark"), ("13", "Dark")]


@pytest.mark.parametrize(("chapter", "theme"), DRAWN)
def test_a_chapter_is_readable_in_both_themes_without_being_drawn_again(lab: Lab, chapter: str, theme: str) -> None:
    seen_anew(lab, chapter, theme)
    for now in (theme, "Dark" if theme == "Light" else "Light", theme):
        switch(lab, now)
        assert lab.script("return [...lab.faint(panel), ...lab.nameless(panel)]") == []
        lab.script("await lab.pictures(panel)")
        wanted, drawn = lab.script("return [lab.asked(panel), await lab.diagrams(panel)]")
        assert len(drawn) == wanted, f"drawn are only {[diagram['title'] for diagram in drawn]}"
        texts = [(diagram["title"], text) for diagram in drawn for text in diagram["texts"]]
        assert [(title, text["text"]) for title, text in texts if text["size"] < SMALLEST] == []
        assert [(title, text["text"], now) for title, text in texts if text["seen"] < SEEN] == []
    lab.page.set_viewport_size(WINDOW)
    lab.script("await app.serviceManager.sessions.shutdownAll()")


def test_the_page_talks_to_this_machine_only(lab: Lab) -> None:
    assert len(lab.visited) > 20
    assert [url for url in lab.visited if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", url)] == []


# What a teacher prints, projects and hands out: files, opened without a network

ROUTE = """# An hour

## An hour · 60 minutes

| Minutes | Chapter | Sections | What happens |
|---|---|---|---|
| 30 | 06 | One call, at once; By hand | Ask first. |
| 30 | 13 | Just ask; By hand: the handshake; Side by side | Draw along. |
"""
ON_PAPER = """() => [...document.querySelectorAll('body *')].filter(e => {
  const style = getComputedStyle(e), out = e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1;
  return e.checkVisibility() && e.clientHeight && out && /auto|scroll|hidden/.test(style.overflowX + style.overflowY);
}).map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hand-out, slides and the site, as the commands make them."""
    folder = tmp_path_factory.mktemp("papers")
    (folder / "teach" / "routes").mkdir(parents=True)
    (folder / "teach" / "routes" / "hour.md").write_text(ROUTE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "TEACH", folder / "teach")
        for argv in (["handout", "13"], ["handout", "06", "--solutions"], ["slides", "hour"], ["site"]):
            assert cli.main([*argv, "--to", str(folder / argv[0])]) == 0
    return folder


@pytest.fixture(params=["light", "dark"])
def alone(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page without a network, in light or dark; what it logs as an error, and whatever it asks of others, is a failure."""
    context = browser.new_context(viewport=WINDOW, color_scheme=request.param, offline=True)
    page, wrong = context.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None)
    yield page
    name = request.node.originalname.removeprefix("test_")
    page.screenshot(path=ARTEFACTS / f"{name}_{request.param}.png")
    context.close()
    assert wrong == []


def drawn(page: Page) -> None:
    """All diagrams of the page are pictures with a name, and their sources are put aside."""
    page.wait_for_function("() => typeof lab !== 'undefined' && lab.drawn")
    page.evaluate("lab.drawn")
    figures = page.locator("figure.diagram")
    assert figures.count() > 0
    assert page.locator("figure.diagram > svg").count() == figures.count()
    assert page.locator("figure.diagram > svg:not([aria-labelledby])").count() == 0
    assert page.locator("figure.diagram > pre:not([hidden])").count() == 0


@pytest.mark.parametrize("name", ["13_mcp_on_the_wire", "06_chain_of_thought_solutions"])
def test_a_handout_draws_its_diagrams_and_prints_all_of_itself(alone: Page, papers: Path, name: str) -> None:
    alone.goto((papers / "handout" / f"{name}.html").as_uri())
    drawn(alone)
    assert alone.locator("html").get_attribute("data-scheme") == alone.evaluate(
        "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
    )
    ground = "getComputedStyle(document.body).backgroundColor"
    before = alone.evaluate(ground)
    alone.get_by_role("button", name="Light or dark").click()
    assert alone.evaluate(ground) != before
    alone.emulate_media(media="print")
    alone.set_viewport_size({"width": 680, "height": 960})  # as wide as the text on A4
    assert alone.evaluate(ground) == "rgb(255, 255, 255)", "paper is white"
    assert alone.evaluate(ON_PAPER) == []
    assert alone.evaluate("document.documentElement.scrollWidth") <= 680
    assert len(alone.pdf()) > 50_000
    alone.emulate_media(media="screen")


def test_slides_go_on_with_the_arrow_keys_and_nothing_falls_off_them(alone: Page, papers: Path) -> None:
    alone.goto((papers / "slides" / "hour_slides.html").as_uri())
    drawn(alone)
    alone.evaluate("ready")
    shown = alone.locator(".slide.now")
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("An hour")
    alone.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("Does thinking in steps help?")
    alone.keyboard.press("End")
    alone.keyboard.press("ArrowLeft")
    last = alone.locator(".slide").count()
    assert alone.url.endswith(f"#{last - 1}")
    alone.keyboard.press("Home")
    alone.get_by_role("button", name="▶").click()
    alone.keyboard.press("n")
    expect(alone.locator(".notes.now")).to_contain_text("Ask first.")
    alone.keyboard.press("n")
    sizes = "[...document.querySelectorAll('.content')].map(c => [c.scrollHeight - c.clientHeight, c.scrollWidth - c.clientWidth])"
    assert [size for size in alone.evaluate(sizes) if max(size) > 1] == []
    cut = "[...document.querySelectorAll('.diagram-slide .diagram > svg')].map(s => s.clientHeight - s.parentElement.clientHeight)"
    assert max(alone.evaluate(cut)) <= 1
    picture = alone.locator(".diagram-slide").first
    alone.evaluate("go([...document.querySelectorAll('.slide')].findIndex(s => s.matches('.diagram-slide')))")
    expect(picture.locator("svg")).to_be_visible()
    assert len(re.findall(rb"/Type\s*/Page\b", alone.pdf(prefer_css_page_size=True))) == last, "a slide, a page"


def test_the_site_is_searched_from_the_keyboard_and_leads_to_the_place(alone: Page, papers: Path) -> None:
    alone.goto((papers / "site" / "index.html").as_uri())
    alone.get_by_role("link", name="13 · MCP on the wire").click()
    drawn(alone)
    alone.keyboard.press("/")
    alone.keyboard.type("context windo")
    first = alone.locator("#results a").first
    expect(first).to_contain_text("context window")
    expect(first).to_contain_text("Glossary")
    alone.keyboard.press("ArrowDown")
    expect(first).to_be_focused()
    alone.keyboard.press("Enter")
    expect(alone.locator("dt:target")).to_have_text("context window")
    alone.keyboard.press("/")
    alone.keyboard.type("handshake lists")
    expect(alone.locator("#results a").filter(has_text="By hand: the handshake")).to_have_count(1)
    alone.keyboard.press("ArrowDown")
    alone.keyboard.press("Escape")
    expect(alone.locator("#results")).to_be_hidden()
    expect(alone.get_by_role("searchbox")).to_be_focused()
    alone.keyboard.press("Control+a")
    alone.keyboard.type("zzzz")
    expect(alone.locator("#results")).to_contain_text("Nothing has all of these words")
    alone.keyboard.press("Escape")
    expect(alone.locator("#results")).to_be_hidden()
    alone.get_by_role("link", name="An hour").click()
    expect(alone.get_by_role("table")).to_contain_text("Draw along.")
    alone.get_by_role("table").get_by_role("link", name="06").click()
    drawn(alone)
    alone.set_viewport_size({"width": 420, "height": 800})  # a phone
    assert alone.evaluate("document.documentElement.scrollWidth") <= 420
    alone.set_viewport_size(WINDOW)
    alone.emulate_media(media="print")
    expect(alone.get_by_role("navigation", name="All pages")).to_be_hidden()
    alone.emulate_media(media="screen")
