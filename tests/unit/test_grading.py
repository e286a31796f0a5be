"""Grading: a machine's fetch never counts as a person's interest."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from cadenza.core.messages import Grade
from cadenza.signals.grading import (
    BURST,
    SAME_VISITOR,
    Clue,
    Evidence,
    Grading,
    Surroundings,
    Visit,
    clues,
    conclude,
    review,
    visit_of,
)

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)

PEOPLE = [
    CHROME,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.5.0",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Microsoft Outlook 16.0.17328; ms-office)",
    "Mozilla/5.0 (Linux; Android 9; CUBOT_X19 Build/PPR1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A)",
    "okhttp/4.12.0",
    "Airmail/688 CFNetwork/1410.0.3 Darwin/22.6.0",
]
MACHINES = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/42.0 Safari/537.36 Edge/12.246 Gmail-content-sampling",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
    "BarracudaCentral Link Checker",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
    "curl/8.5.0",
    "python-requests/2.32.3",
    "Go-http-client/1.1",
    "Java/17.0.9",
]


def graded(agent: str | None, method: str = "GET", **headers: str) -> Grading:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return conclude(clues(Evidence(agent, method, named)))


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_persons_programs_are_human(agent: str):
    """Broken, somebody who opened would get the follow-up for people who did not."""
    assert graded(agent) == Grading(Grade.HUMAN)


@pytest.mark.parametrize("agent", MACHINES)
def test_known_machines_are_machines(agent: str):
    """Broken, a mail gateway's scan would move a campaign on as if the recipient had clicked."""
    assert graded(agent) == Grading(Grade.MACHINE, ("known_machine",))


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "image_proxy"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "image_proxy"),
        ("Mozilla/5.0 SeznamEmailProxy/2.0.174", "image_proxy"),
        ("Mozilla/5.0", "bare_user_agent"),
        ("", "no_user_agent"),
        ("  ", "no_user_agent"),
    ],
)
def test_what_hides_the_person_is_no_proof_of_one(agent: str, reason: str):
    """Broken, a webmail that fetches images on arrival would count as an open."""
    assert graded(agent) == Grading(Grade.LIKELY_MACHINE, (reason,))


@pytest.mark.parametrize(
    "headers",
    [{"sec_purpose": "prefetch;prerender"}, {"purpose": "prefetch"}, {"x_purpose": "preview"}, {"x_moz": "prefetch"}],
)
def test_a_prefetch_is_not_a_click(headers: dict[str, str]):
    """Broken, a browser that loads ahead would click for its owner."""
    assert graded(CHROME, **headers) == Grading(Grade.MACHINE, ("prefetch",))


def test_a_head_request_is_a_machine():
    """Broken, link checkers (no person sends HEAD) would click."""
    assert graded(CHROME, "HEAD") == Grading(Grade.MACHINE, ("head_request",))


def test_an_unknown_agent_says_nothing():
    """Broken, opens from a provider that reports no agent would never move a campaign."""
    assert graded(None) == Grading(Grade.HUMAN)


def test_the_worst_clue_decides_and_all_are_told():
    """Broken, a user who asks why an open did not count would get half the answer."""
    assert graded("", "HEAD") == Grading(Grade.MACHINE, ("head_request", "no_user_agent"))
    assert conclude([Clue(Grade.LIKELY_MACHINE, "a"), Clue(Grade.HUMAN, "b")]).grade is Grade.LIKELY_MACHINE


# --- what only history shows -------------------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
HUMAN = Grading(Grade.HUMAN)
PROXY = Grading(Grade.LIKELY_MACHINE, ("image_proxy",))


def around(arrived_at: datetime | None, *clicks: Visit, scan_window: timedelta = MINUTE) -> Surroundings:
    return Surroundings(arrived_at, clicks, scan_window)


def test_what_comes_right_after_delivery_is_likely_a_machines(now: datetime):
    """Broken, a gateway that scans a mail on its arrival, under a browser's name, would click for the recipient."""
    soon = Grading(Grade.LIKELY_MACHINE, ("right_after_delivery",))
    arrived = around(now)
    assert review(HUMAN, Visit(now + MINUTE - timedelta(seconds=1)), arrived) == soon
    assert review(HUMAN, Visit(now - timedelta(seconds=5)), arrived) == soon, "before the server had even taken it"
    assert review(HUMAN, Visit(now + MINUTE), arrived) == HUMAN
    assert review(HUMAN, Visit(now), around(None)) == HUMAN, "nothing is known of its arrival"
    assert review(HUMAN, Visit(now), around(now, scan_window=timedelta())) == HUMAN, (
        "the workspace has no such scanners"
    )


def test_an_image_proxy_is_a_machine_at_once_and_a_person_later(now: datetime):
    """Broken, nobody who reads in Gmail would ever have opened; or everybody would, whether they read or not."""
    assert review(PROXY, Visit(now + timedelta(seconds=9)), around(now)) == Grading(
        Grade.LIKELY_MACHINE, ("image_proxy", "right_after_delivery")
    )
    assert review(PROXY, Visit(now + timedelta(hours=3)), around(now)) == Grading(
        Grade.HUMAN, ("image_proxy", "long_after_delivery")
    )
    assert review(PROXY, Visit(now), around(None)) == PROXY


@pytest.mark.parametrize("reason", ["bare_user_agent", "no_user_agent"])
def test_time_does_not_make_a_person_of_other_machines(now: datetime, reason: str):
    """Broken, Apple's privacy protection, which loads images at any time, would open for people who never looked."""
    found = Grading(Grade.LIKELY_MACHINE, (reason,))
    assert review(found, Visit(now + timedelta(hours=3)), around(now)) == found


def test_two_links_within_seconds_are_a_sweep(now: datetime):
    """Broken, a gateway that calls every link of a mail would move a campaign as if its reader were keen."""
    later = now + timedelta(hours=1)
    click = Visit(later, "https://a.example/")
    sweep = Grading(Grade.LIKELY_MACHINE, ("links_in_a_burst",))
    for other_at in (later - BURST, later, later + BURST):
        assert review(HUMAN, click, around(now, Visit(other_at, "https://b.example/"))) == sweep
    assert review(HUMAN, click, around(now, Visit(later + BURST * 1.1, "https://b.example/"))) == HUMAN
    assert review(HUMAN, click, around(now, Visit(later, "https://a.example/"))) == HUMAN, "a double click"
    assert review(HUMAN, click, around(now, Visit(later))) == HUMAN, "a provider that does not say which link"
    assert review(HUMAN, Visit(later), around(now, click)) == HUMAN, "opening and clicking at once is what readers do"


@pytest.mark.parametrize(
    ("visitor", "known", "same"),
    [
        ({"ip": "192.0.2.1", "agent": "A"}, {"ip": "192.0.2.1", "agent": "B"}, True),
        ({"ip": "192.0.2.1", "agent": "A"}, {"ip": "192.0.2.2", "agent": "A"}, False),
        ({"agent": "A"}, {"ip": "192.0.2.2", "agent": "A"}, True),
        ({"agent": "A"}, {"agent": "B"}, False),
        ({}, {}, False),
    ],
)
def test_who_was_in_the_honeypot_is_a_machine_in_other_links_too(now: datetime, visitor, known, same: bool):
    """Broken, a scanner that takes its time between links would count; or a person's clicks would not, for its sake."""
    later = now + timedelta(hours=1)
    trapped = Visit(later - SAME_VISITOR, honeypot=True, **known)
    expected = Grading(Grade.MACHINE, ("followed_the_honeypot",)) if same else HUMAN
    assert review(HUMAN, Visit(later, "https://a.example/", **visitor), around(now, trapped)) == expected
    assert review(HUMAN, Visit(later, **visitor), around(now, trapped)) == expected, "an open"
    assert review(HUMAN, Visit(later + MINUTE, **visitor), around(now, trapped)) == HUMAN, "some time ago"


def test_all_clues_are_told_and_the_worst_decides(now: datetime):
    """Broken, the history could make a known machine look better than its own request does."""
    trap = Visit(now, honeypot=True, ip="192.0.2.1")
    found = review(PROXY, Visit(now, "https://a.example/", ip="192.0.2.1"), around(now, trap))
    assert found.grade is Grade.MACHINE
    assert found.reasons == ("image_proxy", "right_after_delivery", "links_in_a_burst", "followed_the_honeypot")


@pytest.mark.parametrize(
    "payload",
    [
        {"method": "GET", "user_agent": "A", "ip": "192.0.2.1", "url": "https://a.example/"},
        {"type": "message.clicked", "data": {"user_agent": "A", "ip": "192.0.2.1", "url": "https://a.example/"}},
        {"eventType": "Click", "click": {"userAgent": "A", "ipAddress": "192.0.2.1", "link": "https://a.example/"}},
        {"event": "click", "useragent": "A", "ip": "192.0.2.1", "url": "https://a.example/"},
    ],
    ids=["cadenza", "events", "ses", "sendgrid"],
)
def test_every_providers_visits_are_read(now: datetime, payload):
    """Broken, the machines among one provider's clicks would be known, and among another's not."""
    assert visit_of(now, (), payload) == Visit(now, "https://a.example/", False, "192.0.2.1", "A")
    assert visit_of(now, ("honeypot",), {"ip": 7, "click": None}) == Visit(now, honeypot=True)
