"""The address that collects what readers send of their progress, and the teacher's page that shows it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from classroom import overview
from classroom.progress import Export
from llmlab.errors import LabError

MOST = 1000  # readers that one class may have
PAGE = Path(__file__).with_name("collecting.html")


class Collected:
    """The last export of each reader, in memory only. Readers send with the class's key, the teacher looks with another."""

    def __init__(self, knows: Callable[[Request], bool], key: str):
        self.knows, self.key, self.exports = knows, key, dict[str, Export]()
        self.routes = [
            Route("/progress", self.took, methods=["POST", "DELETE"]),
            Route("/class", self.page),
            Route("/class.json", self.data),
        ]

    async def took(self, request: Request) -> Response:
        """A reader's export, in place of the one before; by DELETE, the reader leaves."""
        if not self.knows(request):
            return self._no(401, "The class's key is missing or wrong; the teacher's page shows it.")
        try:
            if int(request.headers.get("content-length") or overview.LARGEST + 1) > overview.LARGEST:
                raise LabError(f"An export has at most {overview.LARGEST:,} bytes, and says how many.")
            export = overview.read(await request.body())
        except (LabError, ValueError) as error:
            return self._no(400, str(error))
        if request.method == "DELETE":
            self.exports.pop(export.id, None)
        elif export.id in self.exports or len(self.exports) < MOST:
            self.exports[export.id] = export
        else:
            return self._no(429, f"A class has at most {MOST} readers, and this one is full; tell the teacher.")
        return JSONResponse({"readers": len(self.exports)})

    async def page(self, request: Request) -> Response:
        """Where the class is, for the teacher's eyes."""
        if not self._teacher(request):
            return HTMLResponse("This page's address ends in ?key=… with the teacher's key.", 401)
        text = PAGE.read_text(encoding="utf-8")
        return HTMLResponse(text.replace("{class}", await asyncio.to_thread(self.now().html)))

    async def data(self, request: Request) -> Response:
        """The exports as they came."""
        if not self._teacher(request):
            return self._no(401, "The teacher's key is missing or wrong; `llmlab serve` has printed it.")
        return JSONResponse([export.model_dump() for export in self.exports.values()])

    def now(self) -> overview.Class:
        """The class as it is now."""
        return overview.Class(list(self.exports.values()), [])

    def _teacher(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.query_params.get("key", "")
        return hmac.compare_digest(given.encode(), self.key.encode())

    def _no(self, status: int, sentence: str) -> JSONResponse:
        return JSONResponse({"error": {"message": sentence, "code": status}}, status)
