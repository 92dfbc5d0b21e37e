"""An MCP server for a Git repository: its commits, and its files at any commit. It reads, and only what Git has.

Files come out of Git's own store and not from the disk, so no path and no link can lead out of the repository. Texts from
a model stand behind `--end-of-options` or `--`, so none of them is taken for an option of git.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import Annotated

from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from pydantic import BaseModel, Field

from llmlab.errors import LabError
from llmlab.servers._common import READS, Limit, Offset, Page, Server, page, run
from llmlab.shop import git_environment

SECONDS = 10
LINES = 200  # of a file in one call
LONGEST = 8_000  # characters of a commit's changes
Path_ = Annotated[str, Field(description="Path in the repository, such as notes/roasting.md")]
Commit = Annotated[str, Field(description="A commit: its hash or the start of it, a branch, HEAD, HEAD~2")]


class LogEntry(BaseModel):
    """One commit."""

    commit: str = Field(description="The first ten letters of its hash")
    author: str
    date: str
    subject: str


class Log(Page):
    """A page of commits, the newest first."""

    commits: list[LogEntry]


class Source(Page):
    """Some lines of a file."""

    text: str


def server(root: Path) -> Server:
    """A Git repository, to be read."""
    if not (root / ".git").exists():
        raise LabError(f"This server takes the top folder of a Git repository, but {root} has no .git; choose another.")
    mcp = Server("repository", "The Git repository with the shop's price list.")

    def git(*arguments: str) -> bytes:
        # --git-dir: Git may not look for a repository further up. No stdin: over stdio it is the client's.
        command = [
            "git",
            f"--git-dir={(root / '.git').resolve()}",
            "--literal-pathspecs",
            "-c",
            "log.showSignature=false",
        ]
        try:
            done = subprocess.run(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                env=git_environment(),
                check=True,
            )
        except FileNotFoundError:
            raise ToolError("This needs the program git, but there is none on the path") from None
        except subprocess.TimeoutExpired:
            raise ToolError(f"Git has {SECONDS} seconds, but took longer") from None
        except subprocess.CalledProcessError as error:
            raise ToolError(f"Git says: {error.stderr.decode(errors='replace').strip()}") from None
        return done.stdout

    def text(*arguments: str) -> str:
        return git(*arguments).decode(errors="replace")

    def resolve(commit: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9][\w./~^-]*", commit):
            try:
                return text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}").strip()
            except ToolError as error:
                if not str(error).startswith("Git says"):  # no git, no time: that is another matter
                    raise
        raise ToolError(f"There is no commit {commit!r}; commit_log shows those that there are")

    def inside(path: str) -> str:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or re.search(r"^-|[\\:\0]", path) or not pure.parts:
            raise ToolError(
                f"A path is relative to the repository and stays in it, like notes/a.md, but {path!r} does not"
            )
        return str(pure)

    def blobs(commit: str) -> dict[str, tuple[str, str]]:
        """Mode and hash of each file of a commit, by its path."""
        listed = (line.partition("\t") for line in text("ls-tree", "-r", "-z", resolve(commit)).split("\0") if line)
        return {path: (head.split()[0], head.split()[2]) for head, _, path in listed}

    def content(path: str, commit: str) -> str:
        mode, sha = blobs(commit).get(inside(path), ("", ""))
        if not mode.startswith("100"):
            what = {"120000": "a link", "160000": "another repository"}.get(mode, "no file there")
            raise ToolError(f"Only files can be read, but {path!r} is {what}; list_paths shows the files")
        data = git("cat-file", "blob", sha)
        if b"\0" in data:
            raise ToolError(f"Only texts can be read, but {path!r} is none")
        return data.decode(errors="replace")

    @mcp.tool(annotations=READS)
    def commit_log(path: Path_ | None = None, offset: Offset = 0, limit: Limit = 20) -> Log:
        """List commits, the newest first: all, or those that changed a file."""
        form = "--format=%H%x1f%an%x1f%as%x1f%s"
        counts = (f"--skip={offset}", f"--max-count={limit + 1}")
        lines = text("log", "-z", form, *counts, "HEAD", "--", *([inside(path)] if path else [])).split("\0")
        found = [
            LogEntry(commit=h[:10], author=a, date=d, subject=s) for h, a, d, s in (x.split("\x1f") for x in lines if x)
        ]
        return Log(commits=found[:limit], next_offset=offset + limit if len(found) > limit else None)

    @mcp.tool(annotations=READS)
    def show_commit(commit: Commit) -> str:
        """Show one commit: author, date, message and what it changed."""
        plain = ("--no-color", "--no-ext-diff", "--no-textconv", "--date=iso")
        shown = text("show", *plain, resolve(commit))
        return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}\n… ({len(shown) - LONGEST} more characters)"

    @mcp.tool(annotations=READS)
    def list_paths(folder: Path_ | None = None, commit: Commit = "HEAD") -> list[str]:
        """List the files of the repository, or of a folder in it, as they were at a commit."""
        below = f"{inside(folder)}/" if folder else ""
        paths = [path for path in blobs(commit) if path.startswith(below)]
        if not paths:
            raise ToolError(f"There is no file in {folder or 'the repository'} at {commit}")
        return paths

    @mcp.tool(annotations=READS)
    def read_source(path: Path_, commit: Commit = "HEAD", offset: Offset = 0) -> Source:
        """Read a file as it was at a commit, some hundred lines at a time."""
        lines, further = page(content(path, commit).splitlines(keepends=True), offset, LINES)
        return Source(text="".join(lines), next_offset=further)

    @mcp.resource("repo://files", mime_type="application/json")
    def files() -> list[str]:
        """The files of the newest commit."""
        return list(blobs("HEAD"))

    @mcp.resource("repo://files/{+path}")
    def file(path: str) -> str:
        """A file of the newest commit."""
        try:
            return content(path, "HEAD")
        except ToolError as error:
            raise ResourceError(str(error)) from None

    @mcp.prompt()
    def explain_commit(commit: str) -> str:
        """Ask what a commit changed, and why."""
        return f"Explain in two sentences what this commit changed, and why:\n\n{show_commit(commit)}"

    return mcp


if __name__ == "__main__":
    run(server, "repository")
