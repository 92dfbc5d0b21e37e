"""Run a server that may open no file but its own: python fence.py SERVER.py [ARGUMENTS]

To see what a sandbox does, not to rely on: code that is not Python gets around an audit hook. A container does not let it.
"""

import runpy
import sys
from pathlib import Path

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.spawn", "os.posix_spawn")


def fence(folder: Path) -> None:
    """From now on this process opens only files of Python, its packages and this folder, and starts no program."""
    own = [Path(place).resolve() for place in (folder, sys.prefix, sys.base_prefix, *sys.path)]

    def look(event: str, arguments: tuple[object, ...]) -> None:
        path = arguments[0] if event == "open" else None
        outside = isinstance(path, str) and not any(Path(path).resolve().is_relative_to(place) for place in own)
        if outside or event in STARTS:
            raise PermissionError(f"{event} is not allowed here: {path or arguments[0]}")

    sys.addaudithook(look)


if __name__ == "__main__":
    sys.argv.pop(0)
    sys.path[0] = str(Path(sys.argv[0]).parent)
    fence(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
