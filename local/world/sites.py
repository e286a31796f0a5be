"""The sample companies' web sites: static files of ``local/sites``, told apart by the Host header, on one port."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from werkzeug.security import safe_join
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from cadenza.leads.guard import Endpoint, StaticHosts
from local.world.server import LOOPBACK, LoopbackServer

SITES = Path(__file__).resolve().parent.parent / "sites"


class _Routes(BaseModel):
    """A site's ``routes.json``: what static files cannot express."""

    redirects: dict[str, str] = {}


@dataclass(frozen=True)
class Visit:
    """One request that a site got."""

    host: str
    path: str
    user_agent: str


class SampleSites(LoopbackServer):
    """All sample sites. ``visits`` lists the requests so far, in order."""

    def __init__(self, port: int = 0, folder: Path = SITES) -> None:
        super().__init__(Request.application(self._answer), port)
        self.visits: list[Visit] = []
        self._sites = {site.name: site for site in sorted(folder.iterdir()) if (site / "index.html").is_file()}
        self._routes = {
            host: _Routes.model_validate_json((site / "routes.json").read_bytes())
            if (site / "routes.json").is_file()
            else _Routes()
            for host, site in self._sites.items()
        }

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names that are served here."""
        return tuple(self._sites)

    def resolver(self) -> StaticHosts:
        """The sample hosts, bare and with ``www.``, at this server; nothing else exists."""
        here = Endpoint(LOOPBACK, self.port)
        return StaticHosts({name: here for host in self._sites for name in (host, f"www.{host}")})

    def _answer(self, request: Request) -> Response:
        host = request.host.partition(":")[0].removeprefix("www.")
        self.visits.append(Visit(host, request.path, request.user_agent.string))
        if host not in self._sites:
            return Response("no such site\n", status=404, mimetype="text/plain")
        if (target := self._routes[host].redirects.get(request.path)) is not None:
            return redirect(target)
        file = self._file(host, request.path)
        if file is None:
            return Response(
                "<!doctype html><title>Not found</title><h1>Not found</h1>", status=404, mimetype="text/html"
            )
        mimetype = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return Response(file.read_bytes(), mimetype=mimetype)

    def _file(self, host: str, path: str) -> Path | None:
        wanted = path.strip("/") or "index.html"
        for name in (wanted, f"{wanted}.html"):
            joined = safe_join(str(self._sites[host]), name)
            if joined is not None and Path(joined).is_file() and name != "routes.json":
                return Path(joined)
        return None
