"""Draws pictures/door.png: the door of the shop with a sign on it. Drawn for the kit; public domain (CC0 1.0).

python data/shop/draw.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Circle, Rectangle

FILE = Path(__file__).parent / "pictures" / "door.png"
WALL, DOOR, GLASS, CUP, PAPER, DARK = "#e8d9b5", "#1f6b4a", "#bcd9e6", "#d9642c", "#ffffff", "#222222"


def draw(file: Path = FILE) -> None:
    """A green door with a window and a sign; beside it a shelf with an orange cup."""
    figure = plt.figure(figsize=(4.8, 3.6), dpi=100)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 48), ylim=(0, 36), facecolor=WALL)
    ax.add_patch(Rectangle((0, 0), 48, 36, color=WALL))
    ax.add_patch(Rectangle((6, 0), 20, 33, color=DOOR))
    ax.add_patch(Rectangle((9, 19), 14, 11, color=GLASS))
    ax.add_patch(Circle((23.5, 14), 0.9, color=DARK))
    ax.add_patch(Rectangle((9.5, 9), 11, 7, facecolor=PAPER, edgecolor=DARK))
    ax.text(15, 12.5, "CLOSED\non Monday", ha="center", va="center", fontsize=10, color=DARK)
    ax.add_patch(Rectangle((31, 12), 14, 1.2, color=DARK))
    ax.add_patch(Rectangle((35, 13.2), 5, 5, color=CUP))
    ax.add_patch(Circle((40.4, 15.7), 1.4, fill=False, edgecolor=CUP, linewidth=5))
    ax.set_axis_off()
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    draw()
