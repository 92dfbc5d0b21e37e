"""Hand-outs, slides and the site: whole, in one piece, and with nothing from elsewhere."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from classroom import brief, cells, diagrams, handouts, pages, routes, slides, teaching, website
from llmlab import cli, lesson, settings
from llmlab.errors import LabError

LOADS = {"src", "srcset", "data", "poster", "action"}  # attributes that fetch something, in any element


class Seen(HTMLParser):
    """What a page fetches, where its links lead, and the names of its places."""

    def __init__(self, html: str):
        super().__init__()
        self.loads, self.links, self.names = list[str](), list[str](), set[str]()
        self.feed(html)
        self.loads += re.findall(
            r"url\(\s*['\"]?([^'\")]+)|@import", "".join(re.findall("(?s)<style>.*?</style>", html))
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in LOADS or (name == "href" and tag == "link"):
                self.loads.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "id":
                self.names.add(value or "")


def notebook(number: str) -> list[dict[str, Any]]:
    [file] = (settings.ROOT / "notebooks").glob(f"{number}_*.ipynb")
    return list(json.loads(file.read_text(encoding="utf-8"))["cells"])


def told(book: list[dict[str, Any]]) -> list[str]:
    """The cells by their ids, without those that are a heading and nothing else."""
    return [
        cell["id"]
        for cell in book
        if cell["cell_type"] == "code" or not re.fullmatch("#{1,2} .*", "".join(cell["source"]))
    ]


@pytest.mark.parametrize("number", ["06", "13"])
def test_a_handout_holds_every_cell_and_diagram_and_fetches_nothing(number: str) -> None:
    [chapter] = cells.chapters([number])
    html, book = handouts.handout(chapter), notebook(number)
    seen = Seen(html)
    assert [address for address in seen.loads if not address.startswith("data:")] == []
    assert [link for link in seen.links if not link.startswith(("#", "http"))] == [], "other chapters are not there"
    assert {link[1:] for link in seen.links if link.startswith("#")} <= seen.names
    assert list(dict.fromkeys(re.findall(r'data-cell="([^"]+)"', html))) == told(book)
    texts = ["".join(cell["source"]) for cell in book if cell["cell_type"] == "markdown"]
    outputs = [output for cell in book for output in cell.get("outputs", [])]
    texts += ["".join(output.get("data", {}).get("text/markdown", "")) for output in outputs]
    wanted = [found.strip() for text in texts for found in re.findall(r"(?s)```mermaid\n(.*?)\n```", text)]
    assert pages.sources(html) == wanted
    assert "lab.mermaid.render" in html
    assert re.search(r"mermaid \d+\.\d+.*\n\nThe MIT License", html), "whose program draws them"
    assert len(re.findall('<div class="shown"', html)) == len(outputs), "each output is shown"
    assert len(html) < 3_000_000


def test_solutions_stand_in_a_handout_only_where_they_are_asked_for(tmp_path: Path, capsys: Any) -> None:
    assert cli.main(["handout", "13", "--to", str(tmp_path)]) == 0
    assert cli.main(["handout", "13", "--solutions", "--to", str(tmp_path)]) == 0
    without, with_them = (tmp_path / f"13_mcp_on_the_wire{end}.html" for end in ("", "_solutions"))
    assert [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()] == [str(without), str(with_them)]
    for name in ("13.1", "13.2", "13.3"):
        code = pages.coloured(lesson.exercise(name).solution.strip())
        assert (code in without.read_text(encoding="utf-8"), code in with_them.read_text(encoding="utf-8")) == (0, 1)
    text = with_them.read_text(encoding="utf-8")
    assert text.index('id="solutions"') > text.index('id="exercises"'), "at the end, on a page of its own"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["handout", "77"], "A chapter is one of 00"),
        (["slides", "77"], "A chapter is one of 00"),
        (["slides", "a-week"], "Slides are of a route or a chapter (.*06.*), but not of 'a-week'"),
        (["site", "--to", "FULL"], "A site is written into a folder of its own, but .* has other files"),
    ],
)
def test_what_cannot_be_made_is_said_in_one_sentence(
    argv: list[str], sentence: str, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    assert cli.main([str(tmp_path) if word == "FULL" else word for word in argv]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert re.search(sentence, line)


# Reading notebooks


def test_a_cell_is_divided_at_its_headings_but_not_inside_a_fence() -> None:
    text = "before\n\n## One · core\n\n```python\n## no heading\n```\n### deeper\n\n## Two\nend"
    assert [heading for heading, _ in cells.split(text)] == ["", "One · core", "Two"]
    assert cells.split("# Title\n\ntext") == [("Title", "\n\ntext")]
    assert cells.split("\n") == []


def test_the_sections_of_all_chapters_hold_all_cells_in_their_order() -> None:
    for chapter in cells.chapters():
        found = [block.cell for section in chapter.sections for block in section.blocks]
        assert list(dict.fromkeys(found)) == told(notebook(chapter.number))
        assert chapter.title.startswith(chapter.number)
        anchors = [section.anchor for section in chapter.sections]
        assert len(set(anchors)) == len(anchors)


def test_prose_keeps_keys_and_shows_other_html_as_text_and_leads_nowhere_else() -> None:
    html = pages.prose(
        "Press <kbd>Tab</kbd>, not <script>x</script>; [next](07.ipynb), [web](https://example.org) ![p](p.png)"
    )
    assert "<kbd>Tab</kbd>" in html
    assert "&lt;script&gt;" in html
    assert Seen(html).links == ["https://example.org"]
    assert Seen(html).loads == []
    assert "next" in html


def test_a_heading_with_a_number_is_no_list() -> None:
    assert pages.inline("1. More `tools`") == "1. More <code>tools</code>"


def test_without_the_mermaid_that_is_known_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(diagrams, "static", lambda: tmp_path)
    with pytest.raises(LabError, match=r"JupyterLab \d.* keeps Mermaid itself elsewhere .* install that one"):
        diagrams.script(["flowchart"])
    assert diagrams.script([]) == ""


# Slides


@pytest.mark.parametrize(
    ("piece", "short"),
    [
        (
            "Nothing came back. On the other side is no model, only a program, and programs need a form. It is JSON.",
            "form.",
        ),
        (
            "**Act 1: handshake.** The client says which version it speaks and who it is, and waits for it. More.",
            "for it.",
        ),
        (
            "A call of `model.chat(x). Then` is one sentence, and it goes on for a while until it ends here. More.",
            "here.",
        ),
        ("Short. One.", "One."),
        ("- One thing is said here, and it is long enough to be a whole line of a slide. More.\n- Two.", "Two."),
        ("```\nA. B. C.\n```", "```"),
    ],
)
def test_a_paragraph_becomes_its_leading_sentences(piece: str, short: str) -> None:
    made = brief.brief(piece)
    assert made.endswith(short)
    assert "More" not in made


def test_the_slides_of_a_chapter_have_its_sections_in_order_and_no_answer_beside_a_question() -> None:
    for number in ("06", "13"):
        [chapter] = cells.chapters([number])
        deck = slides.of_chapter(chapter)
        headings = [slide.heading.partition(": ")[0] for slide in deck.slides if slide.kind != "predict"]
        wanted = [section.heading.partition(": ")[0] for section in chapter.sections if section.heading != "Check"]
        assert [h for h in dict.fromkeys(headings) if h in wanted] == list(dict.fromkeys(wanted))
        asked = [slide for slide in deck.slides if slide.kind == "predict"]
        assert len(asked) == len(chapter.about.predictions)
        assert not any("happened" in part for slide in asked for part in slide.parts)
        html = slides.page("x", deck)
        assert [load for load in Seen(html).loads if not load.startswith("data:")] == []
        assert "Your guess" not in re.sub("(?s)<script>.*?</script>", "", html)
        assert "lesson.check(" not in html


TABLE = """| Minutes | Chapter | Sections | What happens |
|--------:|---------|----------|--------------|
| 20 | 06 | One call, at once; By hand; Is it the steps, or only the tokens? | Ask *first*. |
| 5 | | | Break: coffee. |
| 30 | 13 | core | The frames. |
| 5 | 06 | When not to | The end. |
"""
ROUTE = f"# An hour\n\n## An hour · 60 minutes\n\n{TABLE}"


@pytest.fixture
def teach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder teach/ with one route and one chapter's notes."""
    for name, text in {
        "README.md": "# For teachers\n\n[An hour](routes/hour.md#an-hour), [06](notes/06.md), [the kit](../README.md)\n",
        "routes/hour.md": ROUTE,
        "notes/06.md": "# 06: notes\n\nThe point, see the [index](../README.md).\n\n## Before class\n\n- Board. See [06](../../notebooks/06_chain_of_thought.ipynb).\n\n"
        "## Predictions\n\n**06.order: which?** Say this.\n\n- Most err.\n\n**06.size: how?** And that.\n",
    }.items():
        file = tmp_path / "teach" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(routes, "TEACH", tmp_path / "teach")
    return tmp_path / "teach"


def test_the_slides_of_a_route_are_the_sections_that_it_names_with_its_minutes_and_notes(teach: Path) -> None:
    route = teaching.route("hour")
    assert [(part.minutes, part.chapter.number if part.chapter else part.name) for part in route.parts] == [
        (20, "06"),
        (5, "Break"),
        (30, "13"),
        (5, "06"),
    ]
    assert [s.heading for s in route.parts[0].sections] == [
        "One call, at once",
        "By hand",
        "Is it the steps, or only the tokens?",
    ]
    assert {s.mark for s in route.parts[2].sections[1:]} == {"core"}
    assert "Exercises" not in [s.heading for s in route.parts[2].sections]
    deck = slides.of_route(route.title, route.parts)
    assert [slide.heading for slide in deck.slides if slide.kind == "title"] == [
        "An hour",
        "06 · Chain of thought",
        "Break",
        "13 · MCP on the wire",
    ]
    assert "5 min, from 0:55 of 1:00" in deck.slides[-1].foot
    opening = next(slide for slide in deck.slides if slide.heading.startswith("06"))
    assert "Ask <em>first</em>" in opening.notes[0]
    assert "Board." in "".join(opening.notes)
    [asked] = [slide for slide in deck.slides if slide.kind == "predict" and "JSON with steps" in slide.parts[0]]
    assert "Say this." in asked.notes[0]
    assert "And that" not in "".join(asked.notes)


def test_a_course_has_a_file_of_slides_for_each_evening(teach: Path, tmp_path: Path) -> None:
    text = f"# A course\n\n## Evening 1: calls · 60 minutes\n\n{TABLE}\n## Evening 2: more · 60 minutes\n\n{TABLE}"
    (teach / "routes" / "course.md").write_text(text, encoding="utf-8")
    slides.write("course", tmp_path)
    files = sorted(tmp_path.glob("*_slides.html"))
    assert [file.name for file in files] == ["course-01_slides.html", "course-02_slides.html"]
    assert "<h1>Evening 1: calls</h1>" in files[0].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("| ten | 06 | By hand | x |", r"A row of a route is \| minutes"),
        ("| 10 | 06 | Nothing like it | x |", r"Chapter 06 has the sections .*but not \['Nothing like it'\]"),
        ("| 10 | 99 | By hand | x |", "A chapter is one of"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: str, sentence: str, teach: Path) -> None:
    (teach / "routes" / "hour.md").write_text("\n".join([*ROUTE.splitlines()[:6], row]), encoding="utf-8")
    with pytest.raises(LabError, match=sentence):
        teaching.route("hour")


def test_every_route_and_every_note_of_the_kit_can_be_read() -> None:
    for name in routes.names():
        route = teaching.route(name)
        assert len(slides.of_route(route.title, route.parts).slides) > 10, name
    for chapter in cells.chapters():
        if teaching.predictions(chapter.number):  # the others wait until their chapter is rewritten
            assert set(teaching.predictions(chapter.number)) == set(chapter.about.predictions), chapter.number


# The site


def test_the_site_has_all_pages_and_no_link_that_leads_nowhere(teach: Path, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "site"
    for _ in range(2):  # the second time it is made anew
        assert cli.main(["site", "--to", str(folder)]) == 0
    assert "index.html" in capsys.readouterr().out
    seen = {file.name: Seen(file.read_text(encoding="utf-8")) for file in folder.glob("*.html")}
    chapters = [f"{chapter.about.id}.html" for chapter in cells.chapters()]
    assert {*chapters, "index.html", "glossary.html", "teach.html", "route-hour.html", "notes-06.html"} == set(seen)
    for name, page in seen.items():
        assert [load for load in page.loads if not load.startswith("data:") and not (folder / load).is_file()] == []
        for link in page.links:
            file, _, place = link.partition("#")
            if not link.startswith("http"):
                assert file in ("", *seen), f"{name}: {link}"
                assert not place or place in seen[file or name].names, f"{name}: {link}"
    assert "06_chain_of_thought.html" in seen["notes-06.html"].links
    assert seen["notes-06.html"].links.count("teach.html") == 2, "in the menu and in the text"
    assert "route-hour.html#an-hour" in seen["teach.html"].links
    assert "06_chain_of_thought.html" in seen["route-hour.html"].links
    assert seen["route-hour.html"].links.count("05_single_step.html") == 1, "in the menu: minutes are no chapters"
    assert "notes-06.html" in seen["06_chain_of_thought.html"].links


def test_the_search_knows_every_section_and_term_and_leads_to_its_place(teach: Path, tmp_path: Path) -> None:
    website.write(tmp_path / "site")
    text = (tmp_path / "site" / "search.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("const INDEX = ").rstrip().removesuffix(";"))
    found = {(entry["w"], entry["t"]): entry for entry in index}
    terms = json.loads((settings.DATA / "glossary.json").read_text(encoding="utf-8"))
    assert {term for where, term in found if where == "Glossary"} == set(terms)
    for chapter in cells.chapters():
        assert {(chapter.title, section.heading) for section in chapter.sections} <= set(found)
    entry = found["13 · MCP on the wire", "By hand: the handshake"]
    assert entry["a"] == "13_mcp_on_the_wire.html#by-hand-the-handshake"
    assert "class Wire" in entry["x"]
    assert "Board." in found["06: notes", "Before class"]["x"]
    names = {file.name: Seen(file.read_text(encoding="utf-8")).names for file in (tmp_path / "site").glob("*.html")}
    lost = [a for file, _, place in (e["a"].partition("#") for e in index) if place not in names[file] for a in [place]]
    assert lost == []
