"""Diagrams in a page of their own: JupyterLab's Mermaid, taken from its files, so that no network draws them."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from llmlab.errors import LabError

PAGES = Path(__file__).with_name("pages")
FENCE = re.compile(r"^```mermaid\n(.*?)\n```\s*$", re.DOTALL | re.MULTILINE)
# `Promise.all([r.e(1), r.e(2)]).then(r.bind(r, 3))` or `r.e(1).then(r.bind(r, 3))`: the files 1 and 2, and in them module 3.
LOADER = r"(?:Promise\.all\(\[((?:\w+\.e\(\d+\),?)+)\]\)|\w+\.(e\(\d+\)))\.then\(\w+\.bind\(\w+,(\d+)\)\)"
SHARED = r"(\d+):\{shareScope:[^{}]*?fallback:\(\)=>([^{}]*?)\.then\(\(\)=>\(\)=>\w+\((\d+)\)\)"
MADE_OF = re.compile(
    "mermaid|@mermaid-js/parser|@braintree/sanitize-url|d3|d3-.*|dagre-d3-es|dayjs|dompurify|es-toolkit|internmap|khroma|"
    "lodash-es|marked|roughjs|ts-dedent"
)
OURS = re.compile(r"^\(self\.(\w+)=self\.\w+\|\|\[\]\)\.push")


def static() -> Path:
    """JupyterLab's files for the browser. (To import it would take seconds.)"""
    found = find_spec("jupyterlab")
    return Path(str(found and found.origin)).with_name("static")


def words(sources: list[str]) -> list[str]:
    """The kinds of diagram among these sources, by their first words."""
    return sorted({source.split(None, 1)[0] for source in sources if source.strip()})


def script(kinds: list[str]) -> str:
    """JavaScript that draws diagrams of these kinds ("flowchart", "sequenceDiagram"); nothing where there are none.

    Raises LabError if JupyterLab keeps its Mermaid in a way that is not known here.
    """
    if not kinds:
        return ""
    return _script(static(), tuple(kinds)) + (PAGES / "diagrams.js").read_text(encoding="utf-8")


@lru_cache
def _script(folder: Path, kinds: tuple[str, ...]) -> str:
    core, entry, chunks = _core(folder)
    for sign in [*(rf"/\^\\s\*{re.escape(kind)}" for kind in kinds), 'name:"dagre"']:
        if not (found := re.search(sign + ".*?" + LOADER, core)):
            raise _unknown(f"how it draws {sign.rpartition('*')[2]}")
        chunks |= _numbers(found[1] or found[2])
    parts = {number: _file(folder, number) for number in chunks}
    shared, aliases = _shared(folder), []
    for number in sorted(set(re.findall(r"\((\d+)\)", "".join(parts.values()))) & set(shared)):
        files, module = shared[number]
        parts |= {file: _file(folder, file) for file in files if file not in parts}
        aliases.append(f"lab.alias({number}, {module});")
    texts = [text for _, text in sorted(parts.items()) if text]
    own = {name[1] for name in map(OURS.match, texts) if name}
    start = [f"self.{name} = lab.chunks;" for name in sorted(own)]
    end = [*aliases, f"lab.mermaid = lab.need({entry}).default;"]
    first = [_notices(folder), (PAGES / "modules.js").read_text(encoding="utf-8")]
    text = "\n".join([*first, *start, *texts, *end, ""])
    # In a page, these would end the script or begin a comment; in a string or a pattern of JavaScript they say the same.
    return text.replace("</script", r"<\/script").replace("<!--", r"\x3C!--")


def _notices(folder: Path) -> str:
    """Whose programs these are, and under which licences, as a comment: who hands out a page hands them on."""
    file = folder / "third-party-licenses.json"
    known = json.loads(file.read_text(encoding="utf-8"))["packages"] if file.is_file() else []
    names: dict[str, list[str]] = {}
    for each in known:
        if MADE_OF.fullmatch(each["name"]):
            names.setdefault(each["extractedText"].strip(), []).append(f"{each['name']} {each['versionInfo']}")
    texts = [f"{', '.join(packages)}\n\n{text}" for text, packages in names.items()]
    said = "\n\n----\n\n".join(["From JupyterLab, to draw diagrams:", *texts]).replace("*/", "* /")
    return f"/*\n{said}\n*/"


def _core(folder: Path) -> tuple[str, str, set[str]]:
    """The file with Mermaid itself, the module to begin with, and the numbers of the files that it needs."""
    for file in sorted(folder.glob("*.*.js")):
        text = file.read_text(encoding="utf-8")
        if "mermaidAPI:" in text and "registerLayoutLoaders:" in text:
            break
    else:
        raise _unknown("Mermaid itself")
    number, lab = file.name.partition(".")[0], next(folder.glob("jlab_core.*.js"), None)
    for found in re.finditer(LOADER, lab.read_text(encoding="utf-8") if lab else ""):
        if number in (files := _numbers(found[1] or found[2])) and re.search(rf"\b{found[3]}\(", text):
            return text, found[3], files
    raise _unknown("how it loads Mermaid")


def _shared(folder: Path) -> dict[str, tuple[set[str], str]]:
    """What JupyterLab shares among its extensions: for each number the files and the module behind it."""
    main = next(folder.glob("main.*.js"), None)
    text = main.read_text(encoding="utf-8") if main else ""
    return {number: (_numbers(files), module) for number, files, module in re.findall(SHARED, text)}


def _file(folder: Path, number: str) -> str:
    """A file by its number; a number without a file stands for something shared."""
    found = next(folder.glob(f"{number}.*.js"), None)
    return found.read_text(encoding="utf-8").strip() if found else ""


def _numbers(files: str) -> set[str]:
    return set(re.findall(r"e\((\d+)\)", files))


def _unknown(what: str) -> LabError:
    return LabError(
        f"Diagrams are drawn by JupyterLab's Mermaid, but JupyterLab {version('jupyterlab')} keeps {what} elsewhere than "
        "the version in requirements.txt; install that one."
    )
