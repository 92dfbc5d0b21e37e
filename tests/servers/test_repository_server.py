"""The repository server: it shows what Git has, and nothing outside of it, however the path is written."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest
from asking import bad, good, missing, prompt, text
from mcp import Client

from llmlab.errors import LabError
from shop import Shop, git_environment
from shop.repository import server

pytestmark = pytest.mark.anyio

SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n \n aGVsbG8=\n -----END PGP SIGNATURE-----"


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Test", "-c", "user.email=test@wrenandkettle.example"]
    command = ["git", "-C", str(folder), *who, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=git_environment())
    return done.stdout.strip()


async def test_commits_come_in_pages_the_newest_first(repository: Client) -> None:
    first = await good(repository, "commit_log", limit=9)
    second = await good(repository, "commit_log", offset=first["next_offset"], limit=9)
    days = [commit["date"] for commit in first["commits"] + second["commits"]]
    assert (len(days), days, second["next_offset"]) == (12, sorted(days, reverse=True), None)


async def test_the_commits_of_one_file_are_found(repository: Client) -> None:
    found = await good(repository, "commit_log", path="notes/roasting.md")
    assert [commit["author"] for commit in found["commits"]] == ["Kamil Sadowski", "Kamil Sadowski"]
    assert (await good(repository, "commit_log", path="*.md"))["commits"] == [], "a star is a star, no pattern"


async def test_a_commit_is_shown_with_what_it_changed(repository: Client) -> None:
    log = await good(repository, "commit_log", path="prices.csv", limit=1)
    shown = await good(repository, "show_commit", commit=log["commits"][0]["commit"])
    assert "New prices from 1 July" in shown
    assert "-kettle,equipment,49.00\n+kettle,equipment,52.00\n" in shown


async def test_files_are_listed_and_read_as_they_were_at_a_commit(repository: Client) -> None:
    assert await good(repository, "list_paths", folder="notes") == [
        "notes/market.md",
        "notes/packing.md",
        "notes/roasting.md",
    ]
    assert await good(repository, "list_paths", folder="notes", commit="HEAD~4") == ["notes/roasting.md"]
    now = await good(repository, "read_source", path="./notes/roasting.md")
    then = await good(repository, "read_source", path="notes/roasting.md", commit="HEAD~4")
    assert ("espresso beans 5 days" in now["text"], "espresso" in then["text"]) == (True, False)
    assert "no file in nowhere" in await bad(repository, "list_paths", folder="nowhere")


async def test_a_long_file_and_a_long_commit_come_in_pages(repository: Client, shop: Shop) -> None:
    lines = [f"line {n}\n" for n in range(2000)]
    (shop.repository / "long.txt").write_text("".join(lines), encoding="utf-8")
    git(shop.repository, "add", ".")
    git(shop.repository, "commit", "-m", "A long file")
    seen, offset = "", 0
    while offset is not None:
        page = await good(repository, "read_source", path="long.txt", offset=offset)
        seen, offset = seen + page["text"], page["next_offset"]
    assert seen == "".join(lines)
    whole = git(shop.repository, "show", "--date=iso", "HEAD")
    shown, pages = await good(repository, "show_commit", commit="HEAD"), ""
    while found := re.search(r"\n… \(\d+ more characters: the resource (repo://commits/\S+); read_source .*\)$", shown):
        pages += shown[: found.start()]
        shown = await text(repository, found[1])
    assert (pages + shown).strip() == whole
    assert len(pages) == 16_000, "two whole pages before the last"


async def test_many_paths_come_by_folder_or_in_pages(repository: Client, shop: Shop) -> None:
    for name in [*(f"many/{n:04}.txt" for n in range(1100)), "few/one.txt", "few/two.txt"]:
        (shop.repository / name).parent.mkdir(exist_ok=True)
        (shop.repository / name).write_text(name, encoding="utf-8")
    git(shop.repository, "add", ".")
    git(shop.repository, "commit", "-m", "Many files")
    there = git(shop.repository, "ls-files").splitlines()
    said = await bad(repository, "list_paths")
    assert said.startswith(f"At most 500 paths are given at once, but the repository has {len(there)} at HEAD; name a")
    assert "such as few, many, notes, or read the resource repo://files" in said
    assert (await bad(repository, "list_paths", folder="many")).endswith(
        "; read the resource repo://files, which has pages"
    )
    assert await good(repository, "list_paths", folder="few") == ["few/one.txt", "few/two.txt"]
    seen, uri = list[str](), "repo://files"
    while uri:
        found = json.loads(await text(repository, uri))
        assert len(found["paths"]) <= 500
        seen += found["paths"]
        uri = f"repo://files?offset={found['next_offset']}" if found["next_offset"] is not None else ""
    assert seen == there
    for wrong in ("-1", "many", "9" * 5000):
        assert "An offset is a whole number" in await missing(repository, f"repo://files?offset={wrong}")
        assert "An offset is a whole number" in await missing(repository, f"repo://commits/HEAD?offset={wrong}")
    assert "There is no commit 'nope'" in await missing(repository, "repo://commits/nope")


async def test_a_path_that_leads_out_is_refused(repository: Client, shop: Shop) -> None:
    (shop.folder / "secret.txt").write_text("secret", encoding="utf-8")
    climbing = ("../secret.txt", "notes/../../secret.txt", "..\\secret.txt", ".", "..")
    absolute = ("/etc/hosts", "C:\\secret.txt", "C:/secret.txt")
    for path in (*climbing, *absolute, "-rf", "--output=secret.txt", ":(top)README.md", "notes\0/roasting.md"):
        for tool, argument in (("read_source", "path"), ("list_paths", "folder"), ("commit_log", "path")):
            assert "stays in it" in await bad(repository, tool, **{argument: path})
    assert "stays in it" in await bad(repository, "read_source", path="")
    assert (shop.folder / "secret.txt").read_text("utf-8") == "secret"


async def test_links_and_what_git_does_not_have_cannot_be_read(repository: Client, shop: Shop) -> None:
    (shop.folder / "secret.txt").write_text("secret", encoding="utf-8")
    for name, target in (("link.txt", "../secret.txt"), ("up", "..")):
        (shop.folder / "target").write_text(target, encoding="utf-8")
        sha = git(shop.repository, "hash-object", "-w", str(shop.folder / "target"))
        git(shop.repository, "update-index", "--add", "--cacheinfo", f"120000,{sha},{name}")
    (shop.repository / "picture.png").write_bytes(b"\x89PNG\0")
    git(shop.repository, "add", "picture.png")
    git(shop.repository, "commit", "-m", "Two links that lead out, and a picture")
    (shop.repository / "draft.txt").write_text("draft", encoding="utf-8")
    for path, says in {
        "link.txt": "is a link",
        "up": "is a link",
        "up/secret.txt": "is no file there",
        "draft.txt": "is no file there",
        ".git/config": "is no file there",
        "notes": "is no file there",
        "picture.png": "Only texts can be read",
    }.items():
        assert says in await bad(repository, "read_source", path=path)


async def test_what_is_no_commit_is_refused(repository: Client, shop: Shop) -> None:
    options, others = ("-1", "--output=x", "--help"), ("", "nope", "a b", "@{1}", "HEAD~99", "HEAD..HEAD~1")
    for commit in (*options, *others, "HEAD:README.md", "HEAD^{tree}"):
        assert "There is no commit" in await bad(repository, "show_commit", commit=commit)
        assert "There is no commit" in await bad(repository, "read_source", path="README.md", commit=commit)
    assert not (shop.repository / "x").exists()


async def test_a_machine_without_git_is_told(repository: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "needs the program git" in await bad(repository, "show_commit", commit="HEAD")


async def test_settings_of_the_repository_run_no_program(repository: Client, shop: Shop) -> None:
    mark, program = shop.folder / "ran", shop.folder / "program"
    program.write_text(f"#!/bin/sh\ntouch '{mark.as_posix()}'\n", encoding="utf-8", newline="\n")
    program.chmod(0o755)
    (shop.repository / ".git" / "info").mkdir(exist_ok=True)
    (shop.repository / ".git" / "info" / "attributes").write_text("*.md diff=text\n", encoding="utf-8")
    for setting in ("diff.external", "diff.text.textconv", "gpg.program"):
        git(shop.repository, "config", setting, program.as_posix())
    git(shop.repository, "config", "log.showSignature", "true")
    signed = git(shop.repository, "cat-file", "commit", "HEAD").replace("\n\n", f"\ngpgsig {SIGNATURE}\n\n", 1)
    (shop.folder / "signed").write_text(f"{signed}\n", encoding="utf-8", newline="\n")
    sha = git(shop.repository, "hash-object", "-t", "commit", "-w", str(shop.folder / "signed"))
    git(shop.repository, "update-ref", "HEAD", sha)
    assert "+# Christmas market" in await good(repository, "show_commit", commit="HEAD")
    assert (await good(repository, "commit_log"))["commits"][0]["commit"] == sha[:10]
    assert not mark.exists()


async def test_many_questions_at_once_get_their_own_answers(repository: Client) -> None:
    commits = [commit["commit"] for commit in (await good(repository, "commit_log"))["commits"]]
    shown = await asyncio.gather(*(good(repository, "show_commit", commit=commit) for commit in commits))
    assert [one.removeprefix("commit ")[:10] for one in shown] == commits


async def test_files_are_resources_and_the_prompt_brings_the_commit(repository: Client) -> None:
    assert "labels.py" in json.loads(await text(repository, "repo://files"))["paths"]
    assert (await text(repository, "repo://files/notes/packing.md")).startswith("# Packing")
    assert "is no file there" in await missing(repository, "repo://files/nope.md")
    for path in ("../secret.txt", "%2e%2e/secret.txt", "%2Fetc%2Fhosts", "notes/%2e%2e/%2e%2e/secret.txt"):
        assert "Unknown resource" in await missing(repository, f"repo://files/{path}")
    assert "Notes for the Christmas market" in await prompt(repository, "explain_commit", commit="HEAD")


def test_a_folder_inside_or_outside_of_a_repository_is_none(shop: Shop) -> None:
    for folder in (shop.repository / "notes", shop.documents):
        with pytest.raises(LabError, match=r"has no \.git; choose another"):
            server(folder)
