"""What the lab's errors have to be."""

import re


def is_one_sentence(text: str) -> bool:
    """What was allowed, but what came; what to do next. What a server or a system said stands in brackets."""
    ours = re.sub(r"\([^()]*(\([^()]*\)[^()]*)*\)", "()", text)
    return "\n" not in text and ". " not in ours and bool(re.fullmatch(r".+, but .+; .+\.", ours))
