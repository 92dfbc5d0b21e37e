"""The teaching parts that every chapter uses: heads, predictions, exercises, terms, progress."""

from llmlab.lesson.chapters import Chapter, chapter, chapters, progress
from llmlab.lesson.exercises import Check, Exercise, check, hint, solution
from llmlab.lesson.glossary import term
from llmlab.lesson.predictions import guess, predict, reveal

__all__ = [
    "Chapter",
    "Check",
    "Exercise",
    "chapter",
    "chapters",
    "check",
    "guess",
    "hint",
    "predict",
    "progress",
    "reveal",
    "solution",
    "term",
]
