"""A slip in the reader's own call, such as a number for a text, becomes one sentence before anything is done."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError, validate_call

from llmlab.errors import LabError

Call = TypeVar("Call", bound=Callable[..., Any])


def checked(method: Call) -> Call:
    """Check arguments against the type hints before the call. Raises LabError with what is allowed and what came."""
    takes = list(inspect.signature(method).parameters)[1:]

    @functools.cache  # made when it is first needed: importing the lab stays quick
    def form() -> Callable[..., None]:
        nothing = functools.update_wrapper(lambda *args, **more: None, method)
        nothing.__annotations__ = {**method.__annotations__, "return": None}
        return validate_call(config={"strict": True, "arbitrary_types_allowed": True})(nothing)

    @functools.wraps(method)
    def checking(self: Any, *args: Any, **more: Any) -> Any:
        name = type(self).__name__ if method.__name__ == "__init__" else method.__name__
        for given in more.keys() - takes:  # what goes on to a server as it is would hide a misspelt keyword
            if close := difflib.get_close_matches(given, takes, 1, 0.8):
                raise LabError(f"{name} takes no {given}; did you mean {close[0]}?")
        try:
            form()(self, *args, **more)
        except ValidationError as error:
            slip = error.errors()[0]
            at = slip["loc"][0]
            at = takes[at - 1] if isinstance(at, int) else at
            allowed = f"{at}: {method.__annotations__[at]}" if at in takes else ", ".join(takes)
            came = "nothing" if "missing" in slip["type"] else f"{slip['input']!r:.80}" if at in takes else at
            raise LabError(f"{name} takes {allowed}, but got {came}.") from None
        return method(self, *args, **more)

    return checking  # type: ignore[return-value]
