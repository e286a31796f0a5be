"""Our own crawler against what real sites do to crawlers: traps, detours, empty shells, and drips."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from werkzeug.wrappers import Request, Response

from cadenza.core.errors import Retryable
from cadenza.core.ids import LeadId, WorkspaceId, new_id
from cadenza.core.states import LeadStatus
from cadenza.leads.crawler import CrawlLimits, StopReason, crawl
from cadenza.leads.crawling import OwnCrawling
from cadenza.leads.crawls import CrawlFailed
from cadenza.leads.fetch import Trouble
from cadenza.leads.guard import Endpoint, StaticHosts
from cadenza.leads.store import Lead
from local.world.server import LOOPBACK, LoopbackServer
from tests.unit.test_crawler import HOST, Answer, crawled, html, missing, paths

TEXT = "We build ovens for bakeries in Porto, and have done so for more than forty years with our own hands. "


def routes(answers: dict[str, Response | Callable[[], Response]]) -> Answer:
    """A site of these paths; the others are missing."""

    def answer(request: Request) -> Response:
        found = answers.get(request.path, missing)
        return found if isinstance(found, Response) else found()

    return answer


# --- robots.txt and sitemaps -------------------------------------------------------------------------------------


def test_a_robots_txt_with_a_byte_order_mark_is_obeyed() -> None:
    """Otherwise a file saved by Notepad forbids nothing: its first line is not understood."""
    rules = Response("\ufeffUser-agent: *\nDisallow: /".encode(), mimetype="text/plain")
    result, asked = crawled(routes({"/robots.txt": rules, "/": html(TEXT)}))
    assert (result.stopped_because, asked) == (StopReason.ROBOTS, [])


def test_of_a_huge_robots_txt_the_beginning_counts() -> None:
    """Otherwise a site shuts us out in vain because its file is long (RFC 9309: at least 500 KiB are read)."""
    rules = Response("User-agent: *\nDisallow: /\n" + "# padding\n" * 100_000, mimetype="text/plain")
    result, asked = crawled(routes({"/robots.txt": rules, "/": html(TEXT)}))
    assert (result.stopped_because, asked) == (StopReason.ROBOTS, [])


def test_a_robots_txt_behind_a_redirect_is_obeyed() -> None:
    """Otherwise a site that moved its rules has none (RFC 9309 §2.3.1.2)."""
    moved = Response(status=301, headers={"Location": "/rules.txt"})
    rules = Response("User-agent: *\nDisallow: /", mimetype="text/plain")
    result, asked = crawled(routes({"/robots.txt": moved, "/rules.txt": rules, "/": html(TEXT)}))
    assert (result.stopped_because, asked) == (StopReason.ROBOTS, ["/rules.txt"])


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_compressed_sitemaps_are_read(encoding: str) -> None:
    """Otherwise pages that only a sitemap.xml.gz knows stay unseen, as with most shop systems."""
    urls = gzip.compress(f"<urlset><url><loc>http://{HOST}/only-here</loc></url></urlset>".encode())
    body, headers = (gzip.compress(urls), {"Content-Encoding": "gzip"}) if encoding else (urls, {})
    site = routes(
        {
            "/robots.txt": Response(f"Sitemap: http://{HOST}/sitemap.xml.gz\n"),
            "/sitemap.xml.gz": Response(body, mimetype="application/gzip", headers=headers),
            "/": html("front " + TEXT),
            "/only-here": html("here " + TEXT),
        }
    )
    result, _ = crawled(site)
    assert paths(result) == ["/", "/only-here"]


def test_a_sitemap_that_is_a_bomb_or_damaged_is_cut() -> None:
    """Otherwise a small file that unpacks to gigabytes takes the worker's memory."""
    for body in (gzip.compress(b"<a>" * 5_000_000), b"\x1f\x8brubbish"):
        site = routes(
            {
                "/robots.txt": Response(f"Sitemap: http://{HOST}/s.gz\n"),
                "/s.gz": Response(body, mimetype="application/gzip"),
                "/": html(TEXT),
            }
        )
        result, _ = crawled(site)
        assert paths(result) == ["/"]


# --- detours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["0; url=/en/", "0;URL='/en/'", "5 ; /en/", "1,url=http://acme.example/en/#top"])
def test_a_page_that_forwards_by_meta_refresh_is_followed(content: str) -> None:
    """Otherwise a site whose front page chooses the language is one empty page."""
    forward = f'<META HTTP-EQUIV="Refresh" CONTENT="{content}"><p>One moment'
    result, _ = crawled(routes({"/": html(forward), "/en/": html(TEXT)}))
    assert paths(result) == ["/en/"]


def test_a_refresh_to_itself_or_to_rubbish_is_no_detour() -> None:
    """Otherwise a front page that reloads itself is lost."""
    for content in ("30", "30; url=http://acme.example/", "0; url=http://[", "0; url=javascript:alert(1)"):
        result, _ = crawled(routes({"/": html(f'<meta http-equiv="refresh" content="{content}">{TEXT}')}))
        assert paths(result) == ["/"]


def test_links_are_resolved_against_the_base() -> None:
    """Otherwise all links of a site with a <base> lead nowhere."""
    front = html(f'<base href="/site/"><a href="team">Team</a>{TEXT}')
    result, _ = crawled(routes({"/": front, "/site/team": html("team " + TEXT)}))
    assert paths(result) == ["/", "/site/team"]


def test_a_site_that_sets_a_cookie_by_a_redirect_to_itself_is_read() -> None:
    """Otherwise sites behind a consent or load-balancing cookie look like a redirect loop."""

    def answer(request: Request) -> Response:
        if request.path != "/":
            return missing()
        if "seen" in request.cookies:
            return html(TEXT)
        return Response(status=302, headers={"Location": "/", "Set-Cookie": "seen=1"})

    result, asked = crawled(answer)
    assert (paths(result), asked) == (["/"], ["/", "/"])


@pytest.mark.parametrize(
    ("wanted", "there"), [("acme.example", "www.acme.example"), ("www.acme.example", "acme.example")]
)
def test_a_site_that_answers_under_its_other_name_is_found(wanted: str, there: str) -> None:
    """Otherwise a lead fails because somebody left out, or typed, the www."""

    class Hosts(StaticHosts):
        def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
            if host == wanted:
                raise OSError("no such name")
            return super().resolve(host, port)

    with LoopbackServer(Request.application(routes({"/": html(TEXT)}))) as site:
        result = crawl(f"https://{wanted}/", resolver=Hosts({there: Endpoint(LOOPBACK, site.port)}))
    assert [page.url for page in result.pages] == [f"http://{there}/"]


# --- traps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trap", ["/events/2026/{n}/", "/events?month={n}&view=list", "/shop/item-{n}.html"])
def test_a_calendar_without_end_does_not_crowd_out_the_rest(trap: str) -> None:
    """Otherwise the page limit is spent on months of a calendar, and what the company says is never read."""

    def answer(request: Request) -> Response:
        if request.path in {"/robots.txt", "/sitemap.xml"}:
            return missing()
        if request.path == "/story":
            return html("our story " + TEXT)
        links = "".join(f'<a href="{trap.format(n=n)}">x</a>' for n in range(40))
        return html(f'{links}<a href="/ovens">y</a><a href="/story">z</a> {request.full_path} {TEXT}')

    result, _ = crawled(answer, CrawlLimits(max_pages=12))
    assert {"/ovens", "/story"} <= set(paths(result))


def test_missing_pages_that_answer_200_are_left_out() -> None:
    """Otherwise "page not found" is analysed as what a company says of itself."""
    links = "".join(f'<a href="/{n}">x</a>' for n in ("gone", "weg", "perdue", "notfound-guide"))
    site = routes(
        {
            "/": html(links + TEXT),
            "/gone": html("<title>404 - Acme</title>Sorry"),
            "/weg": html("<h1>Seite nicht gefunden</h1>"),
            "/perdue": html("<title>Page introuvable | Acme</title>Retour"),
            "/notfound-guide": html("<title>How we find what is not found elsewhere</title>" + TEXT),
        }
    )
    result, _ = crawled(site)
    assert paths(result) == ["/", "/notfound-guide"]
    assert [error.trouble for error in result.errors] == [Trouble.SOFT_404] * 3


def test_a_deep_link_that_is_softly_gone_falls_back_to_the_front_page() -> None:
    """Otherwise an outdated link to a friendly "not found" is all that is read of a company."""
    site = routes({"/old": html("<title>Page not found</title>Sorry"), "/": html(TEXT)})
    with LoopbackServer(Request.application(site)) as server:
        result = crawl(f"http://{HOST}/old", resolver=StaticHosts({HOST: Endpoint(LOOPBACK, server.port)}))
    assert paths(result) == ["/"]


# --- drips -------------------------------------------------------------------------------------------------------


@contextmanager
def dripping(first: bytes, pause_s: float) -> Iterator[int]:
    """A server that answers anything with ``first``, then with one more byte of a header now and then, for ever."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            connection.recv(65_536)
            connection.sendall(first)
            while not over.wait(pause_s):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server((LOOPBACK, 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        over.set()
        listener.shutdown(socket.SHUT_RDWR)


def test_headers_that_drip_end_with_the_crawls_time() -> None:
    """Otherwise a server that sends a byte of a header a second holds a worker until Lambda kills it (slowloris)."""
    with dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", pause_s=0.05) as port:
        began = time.monotonic()
        limits = CrawlLimits(wall_time_s=1.0, request_timeout_s=5.0)
        result = crawl(f"http://{HOST}/", limits=limits, resolver=StaticHosts({HOST: Endpoint(LOOPBACK, port)}))
        took_s = time.monotonic() - began
    assert result.errors[-1].trouble is Trouble.TIMEOUT
    assert took_s < 3


def test_one_slow_answer_leaves_time_for_the_others() -> None:
    """Otherwise a single dripping page eats the time of all the others."""
    with dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", pause_s=0.05) as port:
        began = time.monotonic()
        limits = CrawlLimits(wall_time_s=60.0, request_timeout_s=0.4)
        crawl(f"http://{HOST}/", limits=limits, resolver=StaticHosts({HOST: Endpoint(LOOPBACK, port)}))
        took_s = time.monotonic() - began
    assert took_s < 5


# --- why nothing came of it ----------------------------------------------------------------------------------------


def why(answer: Answer) -> tuple[str, bool]:
    """The reason that a lead of such a site gets, and whether it is tried again."""
    with LoopbackServer(Request.application(answer)) as site:
        crawling = OwnCrawling(StaticHosts({HOST: Endpoint(LOOPBACK, site.port)}))
        try:
            crawling.start(lead())
        except Retryable as passing:
            return passing.detail, True
        except CrawlFailed as final:
            return str(final), False
    raise AssertionError("it was read")


def lead(host: str = HOST) -> Lead:
    ids = WorkspaceId(new_id()), LeadId(new_id())
    return Lead(
        id=ids[1],
        workspace_id=ids[0],
        domain=host,
        url=f"http://{host}/",
        status=LeadStatus.CRAWLING,
        crawl_id="",
        crawl_started_at=None,
        failure_reason="",
    )


SHELL = '<div id="root"></div><noscript>You need to enable JavaScript.</noscript><script src="/app.js"></script>'
REASONS: list[tuple[dict[str, Response | Callable[[], Response]], str, bool]] = [
    ({"/robots.txt": Response("User-agent: *\nDisallow: /")}, "the site's robots.txt forbids crawlers", False),
    ({"/robots.txt": Response("", status=503)}, "the site's robots.txt cannot be read (HTTP 503)", True),
    ({"/robots.txt": Response("", status=429)}, "the site's robots.txt cannot be read (HTTP 429)", True),
    ({"/": html(SHELL)}, "the site shows its text only to browsers that run JavaScript", False),
    ({"/": Response("", status=403)}, "the site refuses our crawler (HTTP 403)", False),
    ({"/": Response("", status=500)}, "the site's front page cannot be read (HTTP 500)", True),
    ({"/": Response(b"%PDF", mimetype="application/pdf")}, "the site's front page is no web page", False),
    (
        {"/": Response(status=301, headers={"Location": "https://other.example/"})},
        "the site redirects to https://other.example/, which is another company's site",
        False,
    ),
    (
        {"/": html('<meta http-equiv="refresh" content="0; url=https://other.example/">')},
        "the site redirects to https://other.example/, which is another company's site",
        False,
    ),
    ({"/": Response(status=302, headers={"Location": "/"})}, "the site's front page redirects without end", False),
    ({"/": html("x" * 3_000_000)}, "no page of the site can be read (more than", False),
]


@pytest.mark.parametrize(("answers", "reason", "may_pass"), REASONS, ids=[reason for _, reason, _ in REASONS])
def test_a_lead_of_which_nothing_can_be_read_says_why(
    answers: dict[str, Response | Callable[[], Response]], reason: str, may_pass: bool
) -> None:
    """Otherwise people see "failed" and cannot tell a typing error from a site that shuts robots out."""
    told, again = why(routes(answers))
    assert told.startswith(reason)
    assert again is may_pass


def test_a_site_that_is_not_there_says_so() -> None:
    """Otherwise a lead with a dead domain looks like a fault of ours."""

    class Nowhere:
        def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
            raise OSError(f"{host}:{port}: name or service not known")

    with pytest.raises(Retryable, match="the site cannot be reached"):
        OwnCrawling(Nowhere()).start(lead())
    with pytest.raises(CrawlFailed, match=r"the site may not be visited .*is not one of the sample hosts"):
        OwnCrawling(StaticHosts({})).start(lead())


def test_a_script_site_that_speaks_to_machines_is_read() -> None:
    """Otherwise people who are named in JSON-LD are lost because a page is drawn by scripts."""
    person = '{"@type": "Person", "name": "Zoe Acme", "email": "zoe@acme.example"}'
    front = html(f'<script type="application/ld+json">{person}</script>{SHELL}')
    result, _ = crawled(routes({"/": front}))
    assert [page.structured.json_ld[0]["name"] for page in result.pages] == ["Zoe Acme"]
