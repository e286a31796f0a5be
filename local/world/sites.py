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
    charset: str = "utf-8"
    """What the header of every HTML page says, true or not; "" for a header that says nothing."""
    canonical_host: str = ""
    """Where every other name of the site redirects to."""


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
        name = request.host.partition(":")[0]
        host = name.removeprefix("www.")
        self.visits.append(Visit(host, request.path, request.user_agent.string))
        if host not in self._sites:
            return Response("no such site\n", status=404, mimetype="text/plain")
        routes = self._routes[host]
        if routes.canonical_host not in {"", name}:
            return redirect(f"http://{routes.canonical_host}{request.path}", code=301)
        if (target := routes.redirects.get(request.path)) is not None:
            return redirect(target)
        file = self._file(host, request.path)
        if file is None:
            return Response(
                "<!doctype html><title>Not found</title><h1>Not found</h1>", status=404, mimetype="text/html"
            )
        mimetype = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if mimetype == "text/html":
            # werkzeug adds a charset to a mimetype: what the header says is the site's choice.
            content_type = f"text/html; charset={routes.charset}" if routes.charset else "text/html"
            return Response(file.read_bytes(), content_type=content_type)
        return Response(file.read_bytes(), mimetype=mimetype)

    def _file(self, host: str, path: str) -> Path | None:
        wanted = path.strip("/") or "index.html"
        for name in (wanted, f"{wanted}.html", f"{wanted}/index.html"):
            joined = safe_join(str(self._sites[host]), name)
            if joined is not None and Path(joined).is_file() and name != "routes.json":
                return Path(joined)
        return None
