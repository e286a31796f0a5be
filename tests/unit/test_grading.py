"""Grading: a machine's fetch never counts as a person's interest."""

from __future__ import annotations

import pytest

from cadenza.core.messages import Grade
from cadenza.signals.grading import Clue, Evidence, Grading, clues, conclude

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
