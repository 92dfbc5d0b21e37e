"""An MCP server for a Git repository: its commits, and its files at any commit. It reads, and only what Git has."""

from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from llmlab.errors import LabError
from shop.common import READS, WORD, Further, Limit, Offset, Refusal, Server, page, run
from shop.world import git

LINES, MOST = 200, 500  # lines of a file, and paths, in one answer
Path_ = Annotated[str, Field(max_length=1_000, description="Path in the repository, such as notes/roasting.md")]
A_COMMIT = "A commit: its hash or the start of it, a branch, HEAD, HEAD~2"
Commit = Annotated[str, Field(max_length=WORD, description=A_COMMIT)]
Which = Annotated[str, Field(description="The commit: its hash, or HEAD for the newest")]
LogEntry = TypedDict("LogEntry", {"commit": str, "author": str, "date": str, "subject": str})
Log = TypedDict("Log", {"next_offset": Further, "commits": list[LogEntry]})
Paths = TypedDict("Paths", {"next_offset": Further, "paths": list[str]})
Source = TypedDict("Source", {"next_offset": Further, "text": str})


def resolve(root: Path, commit: str) -> str:
    """The hash of a commit. What a model writes for it may not become an option of git."""
    refusal = Refusal(f"There is no commit {commit!r}; commit_log shows those that there are")
    return git(root, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}", refusal=refusal).strip()


def inside(path: str) -> str:
    """A path as Git writes it."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise Refusal(f"A path is relative to the repository and stays in it, like notes/a.md, but {path!r} does not")
    return str(pure)


def content(root: Path, path: str, commit: str) -> str:
    """The text of a file at a commit, out of Git's own store: no path and no link leads out of the repository."""
    refusal = Refusal(f"Only files can be read, but {path!r} is no file there; list_paths shows the files")
    return git(root, "cat-file", "blob", f"{resolve(root, commit)}:{inside(path)}", refusal=refusal)


def commit_log(root: Path, path: Path_ | None = None, offset: Offset = 0, limit: Limit = 20) -> Log:
    """List commits, the newest first: all, or those that changed a file."""
    where = ["HEAD", "--", *([inside(path)] if path else [])]
    lines = git(root, "log", "-z", "--abbrev=10", "--format=%h%x1f%an%x1f%as%x1f%s", *where).split("\0")
    found = [dict(zip(LogEntry.__annotations__, line.split("\x1f"), strict=True)) for line in lines if line]
    return page("commits", found, offset, limit)


def changes(root: Path, commit: str, offset: Offset = 0) -> str:
    """One commit and what it changed, from a character on."""
    return git(root, "show", "--no-ext-diff", "--no-textconv", "--date=iso", resolve(root, commit))[offset:]


def show_commit(root: Path, commit: Commit) -> str:
    """Show one commit: author, date, message and what it changed."""
    return changes(root, commit)


def list_paths(root: Path, folder: Path_ | None = None, commit: Commit = "HEAD") -> list[str]:
    """List the files of the repository, or of a folder in it, as they were at a commit."""
    below = [f"{inside(folder)}/"] if folder else []
    found = git(root, "ls-tree", "-r", "-z", "--name-only", resolve(root, commit), *below).split("\0")[:-1]
    if not found:
        raise Refusal(f"There is no file in {folder or 'the repository'} at {commit}")
    return found


def read_source(root: Path, path: Path_, commit: Commit = "HEAD", offset: Offset = 0) -> Source:
    """Read a file as it was at a commit, some hundred lines at a time."""
    part = page("text", content(root, path, commit).splitlines(keepends=True), offset, LINES)
    return part | {"text": "".join(part["text"])}


def files(root: Path, offset: Offset = 0) -> Paths:
    """More files of the newest commit: offset is the next_offset of the page before."""
    return page("paths", list_paths(root), offset, MOST)


def file(root: Path, path: str) -> str:
    """A file of the newest commit."""
    return content(root, path, "HEAD")


def explain_commit(root: Path, commit: Which) -> str:
    """Ask what a commit changed, and why."""
    return f"Explain in two sentences what this commit changed, and why:\n\n{show_commit(root, commit)}"


def server(root: Path) -> Server:
    """A Git repository, to be read."""
    if not (root / ".git").exists():
        raise LabError(f"This server takes the top folder of a Git repository, but {root} has no .git; choose another.")
    mcp = Server("repository", "The Git repository with the shop's price list.", root)
    mcp.offer(mcp.tool(annotations=READS), commit_log, show_commit, list_paths, read_source)
    mcp.lend("repo://files", files, "The files of the newest commit.")
    mcp.lend("repo://files/{+path}", file, mime_type="text/plain")
    mcp.lend("repo://files{?offset}", files)
    mcp.lend("repo://commits/{commit}{?offset}", changes, mime_type="text/plain")
    mcp.offer(mcp.prompt(), explain_commit)
    return mcp


if __name__ == "__main__":
    run(server, "repository")
