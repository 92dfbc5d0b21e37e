"""An MCP server for a Git repository: its commits, and its files at any commit. It reads, and only what Git has.

Files come out of Git's own store and not from the disk, so no path and no link can lead out of the repository. Texts from
a model stand behind `--end-of-options` or `--`, so none of them is taken for an option of git.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import Annotated

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field

from llmlab.errors import LabError
from shop.common import PATH, READS, WORD, Limit, Offset, Page, Server, offset_in, page, run
from shop.world import git_environment

SECONDS = 10
LINES = 200  # of a file in one call
LONGEST = 8_000  # characters of a commit's changes
MOST = 500  # paths in one call
Path_ = Annotated[str, Field(max_length=PATH, description="Path in the repository, such as notes/roasting.md")]
Commit = Annotated[
    str, Field(max_length=WORD, description="A commit: its hash or the start of it, a branch, HEAD, HEAD~2")
]


class LogEntry(BaseModel):
    """One commit."""

    commit: str = Field(description="The first ten letters of its hash")
    author: str
    date: str
    subject: str


class Log(Page):
    """A page of commits, the newest first."""

    commits: list[LogEntry]


class Paths(Page):
    """A page of paths."""

    paths: list[str]


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

    def shown(commit: str, offset: int) -> str:
        """What a commit says and changed, from a character on; at its end stands where the rest is."""
        plain = ("--no-color", "--no-ext-diff", "--no-textconv", "--date=iso")
        sha = resolve(commit)
        whole, end = text("show", *plain, sha), offset + LONGEST
        if len(whole) <= end:
            return whole[offset:]
        rest = f"{len(whole) - end} more characters: the resource repo://commits/{sha[:10]}?offset={end}"
        return f"{whole[offset:end]}\n… ({rest}; read_source reads each file at this commit)"

    def listed(offset: int) -> Paths:
        paths, further = page(list(blobs("HEAD")), offset, MOST)
        return Paths(paths=paths, next_offset=further)

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
        return shown(commit, 0)

    @mcp.tool(annotations=READS)
    def list_paths(folder: Path_ | None = None, commit: Commit = "HEAD") -> list[str]:
        """List the files of the repository, or of a folder in it, as they were at a commit."""
        below = f"{inside(folder)}/" if folder else ""
        paths = [path for path in blobs(commit) if path.startswith(below)]
        if not paths:
            raise ToolError(f"There is no file in {folder or 'the repository'} at {commit}")
        if len(paths) > MOST:
            inner = sorted({path[len(below) :].split("/")[0] for path in paths if "/" in path[len(below) :]})
            deeper = (
                f"name a folder in it, such as {', '.join(below + name for name in inner[:10])}, or " if inner else ""
            )
            raise ToolError(
                f"At most {MOST} paths are given at once, but {folder or 'the repository'} has {len(paths)} at {commit}; "
                f"{deeper}read the resource repo://files, which has pages"
            )
        return paths

    @mcp.tool(annotations=READS)
    def read_source(path: Path_, commit: Commit = "HEAD", offset: Offset = 0) -> Source:
        """Read a file as it was at a commit, some hundred lines at a time."""
        lines, further = page(content(path, commit).splitlines(keepends=True), offset, LINES)
        return Source(text="".join(lines), next_offset=further)

    @mcp.resource("repo://files", mime_type="application/json")
    def files() -> Paths:
        """The files of the newest commit."""
        return listed(0)

    @mcp.resource("repo://files/{+path}")
    def file(path: str) -> str:
        """A file of the newest commit."""
        try:
            return content(path, "HEAD")
        except ToolError as error:
            raise ResourceError(str(error)) from None

    @mcp.resource("repo://files{?offset}", mime_type="application/json")
    def files_from(offset: str = "0") -> Paths:
        """More files of the newest commit: offset is the next_offset of the page before."""
        return listed(offset_in(offset))

    @mcp.resource("repo://commits/{commit}{?offset}")
    def changes(commit: str, offset: str = "0") -> str:
        """One commit and what it changed, from a character on."""
        start = offset_in(offset)
        try:
            return shown(commit, start)
        except ToolError as error:
            raise ResourceNotFoundError(str(error)) from None

    @mcp.prompt()
    def explain_commit(
        commit: Annotated[str, Field(description="The commit: its hash, or HEAD for the newest")],
    ) -> str:
        """Ask what a commit changed, and why."""
        return f"Explain in two sentences what this commit changed, and why:\n\n{show_commit(commit)}"

    return mcp


if __name__ == "__main__":
    run(server, "repository")
