"""Our own crawler against real servers on loopback that misbehave."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from cadenza.leads.crawler import CrawlLimits, CrawlResult, StopReason, crawl
from cadenza.leads.fetch import Trouble
from cadenza.leads.guard import Endpoint, StaticHosts
from local.world.server import LOOPBACK, LoopbackServer

Answer = Callable[[Request], Response]
HOST = "acme.example"


def crawled(answer: Answer, limits: CrawlLimits | None = None, **options) -> tuple[CrawlResult, list[str]]:
    """Crawl a site whose answers the test writes; also the paths asked for, without robots.txt and sitemap."""
    asked: list[str] = []

    @Request.application
    def app(request: Request) -> Response:
        if request.path not in {"/robots.txt", "/sitemap.xml"}:
            asked.append(request.path)
        return answer(request)

    with LoopbackServer(app) as site:
        resolver = StaticHosts({HOST: Endpoint(LOOPBACK, site.port)})
        return crawl(f"http://{HOST}/", limits=limits, resolver=resolver, **options), asked


def html(body: str, **options) -> Response:
    return Response(f"<!doctype html><html><body>{body}</body></html>", mimetype="text/html", **options)


def missing() -> Response:
    return Response("not here", status=404)


def paths(result: CrawlResult) -> list[str]:
    return [page.url.partition(".example")[2] for page in result.pages]


# --- limits ------------------------------------------------------------------------------------------------------


def endless(request: Request) -> Response:
    if request.path == "/robots.txt":
        return missing()
    return html("".join(f'<a href="{request.path.rstrip("/")}/{n}">{n}</a>' for n in range(5)) + request.path)


def test_page_limit() -> None:
    """Otherwise an endless site keeps a worker busy until it times out."""
    result, _ = crawled(endless, CrawlLimits(max_pages=4))
    assert (len(result.pages), result.stopped_because) == (4, StopReason.MAX_PAGES)


def test_depth_limit() -> None:
    """Otherwise a calendar trap is followed for ever."""
    result, _ = crawled(endless, CrawlLimits(max_pages=50, max_requests=100, max_depth=1))
    assert paths(result) == ["/", "/0", "/1", "/2", "/3", "/4"]
    assert result.stopped_because is StopReason.EXHAUSTED


def test_request_limit_counts_pages_that_fail() -> None:
    """Otherwise a thousand dead links cost a thousand requests."""

    def answer(request: Request) -> Response:
        if request.path == "/":
            return html("".join(f'<a href="/dead/{"x" * n}">x</a>' for n in range(1, 101)))
        return missing()

    result, _ = crawled(answer, CrawlLimits(max_requests=10))
    assert result.stopped_because is StopReason.MAX_REQUESTS
    assert (len(result.pages), len(result.errors)) == (1, 7)  # robots.txt, the sitemap guess and / were requests too


def with_a_heavy_page(heavy: Response) -> Answer:
    def answer(request: Request) -> Response:
        match request.path:
            case "/":
                return html('<a href="/heavy">heavy</a> <a href="/light">light</a>')
            case "/heavy":
                return heavy
            case "/light":
                return html("light")
            case _:
                return missing()

    return answer


def gzipped(data: bytes) -> Response:
    return Response(gzip.compress(data), mimetype="text/html", headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "heavy",
    [html("x" * 60_000), gzipped(b"x" * 50_000_000), Response((b"x" * 1000 for _ in range(60)), mimetype="text/html")],
    ids=["plain", "bomb", "streamed"],
)
def test_a_page_over_the_byte_limit_is_left_out_and_the_rest_kept(heavy: Response) -> None:
    """Otherwise one huge page, or a small one that unpacks to a huge one, takes the worker's memory."""
    result, _ = crawled(with_a_heavy_page(heavy), CrawlLimits(max_page_bytes=50_000))
    assert paths(result) == ["/", "/light"]
    assert [e.trouble for e in result.errors] == [Trouble.TOO_LARGE]


def test_compressed_pages_are_read() -> None:
    """Otherwise most real servers would seem to send rubbish."""
    heavy = gzipped("<p>Olá padeiros</p>".encode())
    result, _ = crawled(with_a_heavy_page(heavy))
    assert result.pages[1].markdown == "Olá padeiros"
    deflated = Response(zlib.compress(b"<p>hi</p>"), mimetype="text/html", headers={"Content-Encoding": "deflate"})
    assert crawled(with_a_heavy_page(deflated))[0].pages[1].markdown == "hi"


def test_total_byte_limit() -> None:
    """Otherwise many middling pages add up to more than a worker may take in."""

    def answer(request: Request) -> Response:
        return missing() if request.path == "/robots.txt" else endless_heavy(request)

    def endless_heavy(request: Request) -> Response:
        return html(f'<a href="{request.path}x">on</a>' + request.path + "y" * 9_000)

    result, _ = crawled(answer, CrawlLimits(max_total_bytes=40_000, max_depth=99))
    assert result.stopped_because is StopReason.MAX_BYTES
    assert 2 <= len(result.pages) <= 4


def test_wall_time_and_crawl_delay() -> None:
    """Otherwise a site's slow pace (or ours towards it) overruns the function's timeout."""
    now = [100.0]
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    def answer(request: Request) -> Response:
        if request.path == "/robots.txt":
            return Response("User-agent: *\nCrawl-delay: 4\n", mimetype="text/plain")
        return endless(request)

    result, _ = crawled(answer, CrawlLimits(wall_time_s=15), monotonic=lambda: now[0], sleep=sleep)
    assert result.stopped_because is StopReason.MAX_TIME
    assert waited == [4.0, 4.0, 4.0]
    assert len(result.pages) == 3


def test_a_dripping_page_ends_with_the_crawls_time() -> None:
    """Otherwise a server that sends a byte now and then holds a worker for as long as it likes."""
    now = [0.0]

    def drip() -> Iterator[bytes]:
        for _ in range(50):
            now[0] += 1
            yield b"x"

    def answer(request: Request) -> Response:
        return missing() if request.path == "/robots.txt" else Response(drip(), mimetype="text/html")

    result, _ = crawled(answer, CrawlLimits(wall_time_s=5), monotonic=lambda: now[0])
    assert result.stopped_because is StopReason.UNREACHABLE
    assert result.errors[0].trouble is Trouble.TIMEOUT


# --- what sites get wrong ----------------------------------------------------------------------------------------


class Crooked(Response):
    """An answer whose headers go out as they are, wrong or not."""

    def get_wsgi_headers(self, _environ: object) -> Headers:
        """See `Response`."""
        return self.headers


def test_one_bad_page_never_loses_the_others() -> None:
    """Otherwise a broken page in the middle costs the whole company."""
    bad: dict[str, Callable[[], Response]] = {
        "/pdf": lambda: Response(b"%PDF", mimetype="application/pdf"),
        "/error": lambda: Response("oops", status=500),
        "/gone": missing,
        "/damaged": lambda: Response(b"not gzip", mimetype="text/html", headers={"Content-Encoding": "gzip"}),
        "/brotli": lambda: Response(b"x", mimetype="text/html", headers={"Content-Encoding": "br"}),
        "/deep": lambda: html("<div>" * 5_000),
        "/port": lambda: Crooked(status=302, headers={"Location": f"http://{HOST}:99999/"}),
        "/file": lambda: Response(status=302, headers={"Location": "file:///etc/passwd"}),
    }

    def answer(request: Request) -> Response:
        if request.path == "/":
            links = "".join(f'<a href="{path}">x</a>' for path in bad)
            return html(links + '<a href="http://[::1">x</a><a href="/zz-last">y</a><a href="//:0/">z</a>')
        return html("last") if request.path == "/zz-last" else bad.get(request.path, missing)()

    result, _ = crawled(answer)
    assert paths(result) == ["/", "/zz-last"]
    assert {e.url.rpartition("/")[2]: e.trouble for e in result.errors} == {
        "pdf": Trouble.NOT_HTML,
        "error": Trouble.HTTP_STATUS,
        "gone": Trouble.HTTP_STATUS,
        "damaged": Trouble.UNREADABLE,
        "brotli": Trouble.UNREADABLE,
        "deep": Trouble.UNREADABLE,
        "port": Trouble.UNREADABLE,
        "file": Trouble.OFF_SITE,
    }


def test_long_redirect_chains_end() -> None:
    """Otherwise a counter in the URL makes a loop that no list of seen URLs finds."""

    def answer(request: Request) -> Response:
        if request.path in {"/robots.txt", "/sitemap.xml"}:
            return missing()
        return Response(status=302, headers={"Location": f"{request.path}x"})

    result, asked = crawled(answer, CrawlLimits(max_redirects=3))
    assert result.errors[0].trouble is Trouble.TOO_MANY_REDIRECTS
    assert result.stopped_because is StopReason.UNREACHABLE
    assert len(asked) <= 8


@pytest.mark.parametrize(
    ("robots", "reason"),
    [
        (Response("User-agent: *\nDisallow: /", mimetype="text/plain"), StopReason.ROBOTS),
        (Response("User-agent: CadenzaBot\nDisallow: /\n\nUser-agent: *\nAllow: /"), StopReason.ROBOTS),
        (Response("down", status=503), StopReason.ROBOTS),
        (Response("no", status=403), StopReason.EXHAUSTED),
        (Response(b"\xff\xfe\x00rubbish"), StopReason.EXHAUSTED),
    ],
    ids=["all", "us", "server error", "client error", "rubbish"],
)
def test_what_robots_txt_means(robots: Response, reason: StopReason) -> None:
    """Otherwise we read sites that shut us out, or none whose robots.txt is merely odd (RFC 9309)."""
    result, asked = crawled(lambda r: robots if r.path == "/robots.txt" else html("hi"))
    assert result.stopped_because is reason
    assert asked == ([] if reason is StopReason.ROBOTS else ["/"])


def test_a_redirect_into_a_forbidden_path_is_not_followed() -> None:
    """Otherwise robots.txt is obeyed for links but not for redirects."""

    def answer(request: Request) -> Response:
        match request.path:
            case "/robots.txt":
                return Response("User-agent: *\nDisallow: /private")
            case "/":
                return html('<a href="/public">x</a>')
            case "/public":
                return Response(status=301, headers={"Location": "/private"})
            case _:
                return missing()

    result, asked = crawled(answer)
    assert asked == ["/", "/public"]
    assert [e.trouble for e in result.errors] == [Trouble.ROBOTS]


def test_telling_pages_come_first_in_any_language() -> None:
    """Otherwise the page limit is spent on blog posts and the team page is never read."""
    links = [
        "/blog/1",
        "/privacy-policy",
        "/über-uns",
        "/precos",
        "/equipe",
        "/x?page=2",
        "/files/a.pdf",
        "/x#top",
        "/x",
    ]

    def answer(request: Request) -> Response:
        if request.path == "/":
            return html("".join(f'<a href="{link}">.</a>' for link in links))
        return missing() if request.path == "/robots.txt" else html(request.full_path)

    result, _ = crawled(answer)
    assert paths(result) == ["/", "/equipe", "/über-uns", "/precos", "/blog/1", "/x", "/x?page=2", "/privacy-policy"]


def test_one_page_under_many_urls_is_one_page() -> None:
    """Otherwise tracking links and index pages fill the page limit with copies."""
    links = ["/a", "/a/", "/a?utm_source=x", "/a#y", "/index.html", f"http://www.{HOST}/a"]

    def answer(request: Request) -> Response:
        if request.path in {"/", "/index.html"}:
            return html("".join(f'<a href="{link}">.</a>' for link in links))
        return html("a") if request.path == "/a" else missing()

    result, asked = crawled(answer)
    assert paths(result) == ["/", "/a"]
    assert asked == ["/", "/a", "/index.html"]


def test_nested_sitemaps_are_read_and_foreign_ones_ignored() -> None:
    """Otherwise pages that only a sitemap knows stay unseen, or a sitemap sends us elsewhere."""
    index = f"<sitemapindex><sitemap><loc>http://{HOST}/s2.xml</loc></sitemap><sitemap><loc>http://b.example/</loc></sitemap></sitemapindex>"
    urls = f"<urlset><url><loc> http://{HOST}/only-here </loc></url><url><loc>ftp://{HOST}/x</loc></url></urlset>"

    def answer(request: Request) -> Response:
        match request.path:
            case "/robots.txt":
                return Response(f"Sitemap: http://{HOST}/s1.xml\nSitemap: http://b.example/s.xml\n")
            case "/s1.xml":
                return Response(index, mimetype="application/xml")
            case "/s2.xml":
                return Response(urls, mimetype="application/xml")
            case "/" | "/only-here":
                return html(request.path)
            case _:
                return missing()

    result, _ = crawled(answer)
    assert paths(result) == ["/", "/only-here"]
    assert result.errors == ()


def test_a_crawl_of_nothing_says_so() -> None:
    """Otherwise an unreachable company looks like one without pages."""
    result = crawl("https://nobody.example/", limits=replace(CrawlLimits(), max_pages=1), resolver=StaticHosts({}))
    assert result.pages == ()
    assert result.stopped_because is StopReason.UNREACHABLE
    assert result.errors[0].trouble is Trouble.REFUSED
