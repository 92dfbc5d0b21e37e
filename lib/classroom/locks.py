"""When solutions open, as a teacher has set it: `LLMLAB_SOLUTIONS=after 3 tries`, or `after 2026-12-01 14:00`.

This keeps honest readers at their exercise a little longer. It keeps nobody out: the solutions stand in lib/chapters.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

FORMS = "`after 3 tries` or `after 2026-12-01 14:00`, or both with `or` between them (the first to come opens)"


def read(rule: str) -> tuple[int | None, datetime | None]:
    """After how many tries, and at what time (of this machine's clock), solutions open. Raises ValueError."""
    tries: int | None = None
    time: datetime | None = None
    for part in re.split(r"\s+or\s+", rule.strip()):
        if counted := re.fullmatch(r"after (\d{1,4}) (?:tries|try)", part):
            tries = int(counted[1])
        else:
            time = datetime.fromisoformat(part.removeprefix("after ")).astimezone()
    return tries, time


def closed(name: str, done: dict[str, dict[str, Any]], rule: str | None, now: datetime | None = None) -> str:
    """When the solution of an exercise opens, as a sentence; empty where it is open. A try is a check that failed."""
    if not rule or done["passed"].get(name):
        return ""
    try:
        wanted, time = read(rule)
    except ValueError:
        return f"LLMLAB_SOLUTIONS takes {FORMS}, but is {rule!r}; until it is corrected, solutions stay closed."
    now, made = now or datetime.now().astimezone(), int(done["tries"].get(name, 0))
    if (wanted is not None and made >= wanted) or (time is not None and now >= time):
        return ""
    opens = [f"after {wanted} tries (you have made {made})"] if wanted is not None else []
    opens += [f"on {time:%A, %d %B %Y at %H:%M}"] if time is not None else []
    return f"Your teacher opens the solution of {name} {' or '.join(opens)}; lesson.hint({name!r}) helps until then."
