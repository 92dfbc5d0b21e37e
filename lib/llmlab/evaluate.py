"""Counts, and how sure they are."""

from __future__ import annotations

from math import sqrt

Z95 = 1.959964  # the 97.5 % point of the normal distribution


def interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a success rate (E. B. Wilson, 1927, JASA 22:209): sound for few trials, and for 0 or all."""
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"interval takes 0 <= successes <= trials and trials > 0, not {successes} of {trials}")
    p, z2 = successes / trials, Z95**2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 * sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def share(successes: int, trials: int) -> str:
    """A count with its interval, for tables: "7/8 (53–98 %)"."""
    low, high = interval(successes, trials)
    return f"{successes}/{trials} ({low:.0%}–{high:.0%})".replace("%–", "–").replace("%)", " %)")
