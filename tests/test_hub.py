"""The lab on a hub: the real JupyterHub, its proxy and a browser, three readers from one kit, and one model for them."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import installed

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "no Chromium was found; with it (Debian, Ubuntu: apt install chromium) the hub is tried in a browser"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason=MISSING),
    pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows"),
]

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = ROOT / "artefacts"
READERS = ("anna", "ben", "cleo")
PASSWORD = "a password of some length"
SECONDS = 180  # a hub, a server, a chapter: none may take longer
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FRONT = "window.jupyterapp?.shell?.currentWidget"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@dataclass
class Hub:
    """A hub that runs: its address, the folder that it keeps, its process, and what it has said."""

    url: str
    state: Path
    process: psutil.Process
    said: list[str]

    def home(self, reader: str) -> Path:
        return self.state / "homes" / reader

    def service(self, page: str, key: str) -> httpx2.Response:
        """A page of the model's, as the hub hands it on; `key` names one of the hub's keys."""
        secret = (self.state / f"{key}.key").read_text(encoding="utf-8")
        with httpx2.Client(trust_env=False, timeout=20) as http:
            return http.get(f"{self.url}/services/model/{page}?key={secret}")


@pytest.fixture(scope="module")
def hub(box_weights: Path) -> Iterator[Hub]:
    """JupyterHub as teach/hub sets it up. When it has ended, nothing that it started is left."""
    python = installed.hub()
    installed.install(python, "-m", "classroom.proxy")
    url, model, inner, api = (f"http://127.0.0.1:{free_port()}" for _ in range(4))
    with tempfile.TemporaryDirectory(prefix="hub-") as state:
        environment = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
        environment |= {
            "LLMLAB_HUB_STATE": state,
            "LLMLAB_HUB_PASSWORD": PASSWORD,
            "LLMLAB_HUB_USERS": ", ".join(READERS),
        }
        environment |= {"LLMLAB_HUB_ADDRESS": url, "LLMLAB_HUB_MODEL": model, "LLMLAB_SOLUTIONS": "after 2 tries"}
        command = [str(python), "-m", "jupyterhub", "-f", str(ROOT / "teach" / "hub" / "jupyterhub_config.py")]
        command += [f"--JupyterHub.hub_bind_url={inner}", f"--ConfigurableHTTPProxy.api_url={api}"]
        command += ["--Spawner.args=--LabApp.expose_app_in_browser=True"]
        out: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        with subprocess.Popen(command, cwd=state, env=environment, **out) as started:
            said: list[str] = []
            threading.Thread(target=lambda: said.extend(started.stdout), daemon=True).start()
            process = psutil.Process(started.pid)
            try:
                until(lambda: "JupyterHub is now running" in "".join(said), started, said)
                yield Hub(url, Path(state), process, said)
            finally:
                children = process.children(recursive=True) if started.poll() is None else []
                started.terminate()
                left = psutil.wait_procs([process, *children], timeout=60)[1]
                for each in left:
                    each.kill()
        assert left == [], "a process of the hub has outlived it"


def until(holds: Any, process: subprocess.Popen[str], said: list[str]) -> None:
    """Wait until something holds, and not for ever."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert process.poll() is None, f"the hub has ended: {''.join(said)[-3000:]}"
        assert time.monotonic() < end, f"it did not come: {''.join(said)[-3000:]}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    ARTEFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        environment: Any = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("chromium"))}
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, env=environment)
        yield browser
        browser.close()


def log_in(page: Page, hub: Hub, reader: str, password: str = PASSWORD) -> None:
    page.goto(hub.url)
    page.locator("#username_input").fill(reader)
    page.locator("#password_input").fill(password)
    page.locator("#login_submit").click()


@pytest.fixture(scope="module")
def pages(hub: Hub, browser: Browser) -> dict[str, Page]:
    """Each reader in a browser of their own, logged in, with chapter 00 and its kernel there."""
    found = {}
    for reader in READERS:
        page = found[reader] = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.add_init_script(path=Path(__file__).with_name("browser.js"))
        log_in(page, hub, reader)
        page.wait_for_url(f"**/user/{reader}/lab/**")
        page.wait_for_function(f"() => {FRONT}?.context?.path")
        page.evaluate(f"() => lab.attached({FRONT})")
    return found


def ran(page: Page, source: str) -> str:
    """Run a new cell at the end; what it printed."""
    page.evaluate(f"source => lab.add({FRONT}, source)", source)
    page.evaluate(
        f"async () => {{ const nb = {FRONT}.content; nb.activeCellIndex = nb.widgets.length - 1; "
        "await window.jupyterapp.commands.execute('notebook:run-cell'); }"
    )
    outputs = page.evaluate(f"() => {FRONT}.content.widgets.at(-1).model.outputs.toJSON()")
    return "".join("".join(output.get("text", str(output))) for output in outputs)


@pytest.mark.parametrize(("reader", "password"), [("anna", "a wrong one"), ("dora", PASSWORD)])
def test_nobody_comes_in_without_a_password_and_a_name_on_the_list(
    hub: Hub, browser: Browser, reader: str, password: str
) -> None:
    page = browser.new_context().new_page()
    log_in(page, hub, reader, password)
    expect(page.get_by_text(re.compile("Invalid username or password|403"))).to_be_visible()
    page.context.close()


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_runs_chapter_00_from_top_to_bottom_on_the_class_model(
    hub: Hub, pages: dict[str, Page], reader: str
) -> None:
    page = pages[reader]
    expect(page.get_by_role("heading", name="Start here")).to_be_visible()
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    outputs = page.evaluate(f"() => {FRONT}.content.widgets.flatMap(c => c.model.outputs?.toJSON() ?? [])")
    page.evaluate(f"() => {FRONT}.content.scrollToItem(5)")
    expect(page.get_by_text("endpoint: SmolLM2-135M-Instruct").first).to_be_visible()
    page.screenshot(path=ARTEFACTS / f"hub_{reader}.png")
    assert len(outputs) > 15
    assert [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"] == []


def test_one_process_has_the_model_and_serves_each_reader_under_their_name(hub: Hub, pages: dict[str, Page]) -> None:
    rows = {row["reader"]: row["served"] for row in hub.service("status", "class").json()["readers"]}
    assert {name: served > 5 for name, served in rows.items()} == dict.fromkeys(READERS, True)
    processes = hub.process.children(recursive=True)
    engines = [p for p in processes if any("xllamacpp" in part.path for part in p.memory_maps())]
    assert [process.cmdline()[1:4] for process in engines] == [["-m", "llmlab.cli", "serve"]]
    assert sum("ipykernel" in " ".join(process.cmdline()) for process in processes) == len(READERS)
    printed = "".join(hub.said)
    for name in ("class", "teacher"):
        assert (hub.state / f"{name}.key").read_text(encoding="utf-8") not in printed, "a log is no place for keys"


def test_work_and_progress_are_each_readers_own(hub: Hub, pages: dict[str, Page]) -> None:
    ran(pages["anna"], "from pathlib import Path; Path('mine.txt').write_text('anna')")
    pages["anna"].evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    works = {reader: hub.home(reader) / "llmlab" / "work" for reader in READERS}
    assert [reader for reader, work in works.items() if (work / "mine.txt").exists()] == ["anna"]
    assert "mine.txt" in (works["anna"] / "00_start_here.ipynb").read_text(encoding="utf-8")
    assert "mine.txt" not in (works["ben"] / "00_start_here.ipynb").read_text(encoding="utf-8")
    assert all((work / ".llmlab" / "progress.json").is_file() for work in works.values())
    answer = pages["ben"].request.get(f"{hub.url}/user/anna/api/contents/work/mine.txt")
    assert answer.status in (403, 404)
    assert "is fresh; yours is kept as" in ran(pages["ben"], "!python -m llmlab.cli reset 00")
    assert len(list(works["ben"].glob("00_start_here*.ipynb"))) == 2
    assert len(list(works["anna"].glob("00_start_here*.ipynb"))) == 1


def test_a_reader_cannot_ask_under_another_name(hub: Hub, pages: dict[str, Page]) -> None:
    forge = "import os; os.environ['OPENAI_API_KEY'] = os.environ['OPENAI_API_KEY'].replace('cleo', 'ben')\n"
    asked = "from llmlab import LabError, connect\ntry:\n    await (await connect()).chat('Hi')\nexcept LabError as error:\n"
    assert "key" in ran(pages["cleo"], f"{forge}{asked}    print(error.kind, error)")


def test_who_joins_is_seen_on_the_teachers_page_and_solutions_keep_to_the_teachers_rule(
    hub: Hub, pages: dict[str, Page], browser: Browser
) -> None:
    assert "you have made 1)" in ran(pages["anna"], "lesson.solution('00.2')")
    assert "Nobody has sent anything yet" in hub.service("class", "teacher").text
    assert "as 'Little Bear'" in ran(pages["anna"], "!python -m llmlab.cli progress --as 'Little Bear'")
    assert "(Sent to your class as " in ran(pages["anna"], "await lesson.check('00.2', longest)")
    assert "def longest" in ran(pages["anna"], "lesson.solution('00.2')")
    assert hub.service("class", "class").status_code == 401
    page = browser.new_page()
    secret = (hub.state / "teacher.key").read_text(encoding="utf-8")
    page.goto(f"{hub.url}/services/model/class?key={secret}")
    expect(page.get_by_role("cell", name="Little Bear")).to_be_visible()
    expect(page.get_by_role("img")).to_have_attribute("alt", re.compile(r"00\.2: 0 passed, 1 not yet"))
    expect(page.locator("body")).not_to_contain_text("anna")
    page.screenshot(path=ARTEFACTS / "hub_class.png")
    page.close()
