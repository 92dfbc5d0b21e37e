"""The repository server: it shows what Git has, and nothing outside of it, however the path is written."""

import json
import subprocess
from pathlib import Path

import pytest
from asking import bad, good, missing, text
from mcp import Client

from shop import Shop, git_environment

pytestmark = pytest.mark.anyio


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=Test", "-c", "user.email=test@wrenandkettle.example", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=git_environment())
    return done.stdout.strip()


async def test_commits_are_listed_and_shown_with_what_they_changed(repository: Client) -> None:
    found = (await good(repository, "commit_log", path="notes/roasting.md"))["commits"]
    assert [commit["author"] for commit in found] == ["Kamil Sadowski", "Kamil Sadowski"]
    assert (await good(repository, "commit_log", path="*.md"))["commits"] == [], "a star is a star, no pattern"
    [newest] = (await good(repository, "commit_log", path="prices.csv", limit=1))["commits"]
    shown = await good(repository, "show_commit", commit=newest["commit"])
    assert newest["subject"] in shown
    assert "-kettle,equipment,49.00\n+kettle,equipment,52.00\n" in shown
    assert await text(repository, f"repo://commits/{newest['commit']}?offset=100") == shown[100:]


async def test_files_are_listed_and_read_as_they_were_at_a_commit(repository: Client) -> None:
    notes = await good(repository, "list_paths", folder="notes")
    assert notes == ["notes/market.md", "notes/packing.md", "notes/roasting.md"]
    assert await good(repository, "list_paths", folder="notes", commit="HEAD~4") == ["notes/roasting.md"]
    now = await good(repository, "read_source", path="./notes/roasting.md")
    then = await good(repository, "read_source", path="notes/roasting.md", commit="HEAD~4")
    assert ("espresso beans 5 days" in now["text"], "espresso" in then["text"]) == (True, False)
    assert (await text(repository, "repo://files/notes/packing.md")).startswith("# Packing")
    assert "no file there" in await missing(repository, "repo://files/nope.md")


async def test_many_paths_come_in_pages(repository: Client, shop: Shop) -> None:
    for n in range(600):
        (shop.repository / f"{n:04}.txt").write_text("many", encoding="utf-8")
    git(shop.repository, "add", ".")
    git(shop.repository, "commit", "-m", "Many")
    first = json.loads(await text(repository, "repo://files"))
    rest = json.loads(await text(repository, f"repo://files?offset={first['next_offset']}"))
    assert first["paths"] + rest["paths"] == git(shop.repository, "ls-files").splitlines()


@pytest.mark.parametrize("path", ["../secret.txt", "notes/../../secret.txt", ".", "", "/etc/hosts"])
async def test_a_path_that_leads_out_is_refused(repository: Client, path: str) -> None:
    assert "stays in it" in await bad(repository, "read_source", path=path)


@pytest.mark.parametrize("path", ["draft.txt", ".git/config", "notes", "up/secret.txt", ":(top)README.md"])
async def test_what_git_does_not_have_cannot_be_read(repository: Client, shop: Shop, path: str) -> None:
    (shop.folder / "secret.txt").write_text("secret", encoding="utf-8")
    (shop.repository / "draft.txt").write_text("draft", encoding="utf-8")
    (shop.folder / "target").write_text("..", encoding="utf-8")
    link = git(shop.repository, "hash-object", "-w", str(shop.folder / "target"))
    git(shop.repository, "update-index", "--add", "--cacheinfo", f"120000,{link},up")
    git(shop.repository, "commit", "-m", "A link that leads out")
    assert "no file there" in await bad(repository, "read_source", path=path)


@pytest.mark.parametrize("commit", ["-1", "--output=x", "", "nope", "a b", "HEAD~99", "HEAD..HEAD~1", "HEAD:README.md"])
async def test_what_is_no_commit_is_refused(repository: Client, shop: Shop, commit: str) -> None:
    assert "There is no commit" in await bad(repository, "show_commit", commit=commit)
    assert "There is no commit" in await bad(repository, "read_source", path="README.md", commit=commit)
    assert not (shop.repository / "x").exists()
