"""A mail gateway that calls itself a browser and takes its time: it moves nobody, and the reader after it does."""

from __future__ import annotations

from datetime import timedelta

import httpx2
from bs4 import BeautifulSoup

from local.world.mail import CapturedMail
from local.world.recipients import BROWSER
from tests.flow.gateway import InProcess
from tests.flow.world import BRIEF, World

SPREE = "spreekargo.example"
PRIYA = f"priya.nair@{SPREE}"
HOUR = timedelta(hours=1)


def sweep(mail: CapturedMail) -> list[int]:
    """Load every image and follow every link of the mail, as a browser would; what each was answered."""
    page = BeautifulSoup(mail.html, "lxml")
    urls = [*(tag.get("src") for tag in page.find_all("img")), *(tag.get("href") for tag in page.find_all("a"))]
    with httpx2.Client(transport=InProcess(), headers={"User-Agent": BROWSER}, follow_redirects=False) as browser:
        return [browser.get(str(url)).status_code for url in urls]


def test_a_patient_scanner_moves_nobody_and_unsubscribes_nobody(flow: World) -> None:
    """Otherwise everybody behind such a gateway counts as keen, and is opted out on top of it."""
    # Given first mails, one of them behind a gateway that holds it back for an hour before it looks at all its links.
    flow.campaign(SPREE)
    flow.cloud.pass_time(timedelta(minutes=5) + HOUR)
    assert flow.enrolments()[PRIYA] == ("active", "intro", "")
    scanned = flow.mails(PRIYA)[0]
    assert sorted(sweep(scanned)) == [200, 200, 200, 302], "the pixel, the opt-out's page, the hidden link, the link"
    flow.cloud.settle()

    # Then its clicks and its look are a machine's, each with the reason why, and nobody is unsubscribed.
    rows = flow.rows("SELECT kind, grade, grade_reasons, verdict FROM message_events ORDER BY kind, id")
    found = [(row.kind, row.grade, tuple(row.grade_reasons), row.verdict) for row in rows]
    assert ("clicked", "machine", ("honeypot",), "machine") in found
    assert {(grade, verdict) for _, grade, _, verdict in found} == {("machine", "machine")}
    assert flow.enrolments()[PRIYA] == ("active", "intro", "")
    assert flow.suppressed() == {}

    # And the reader, whose own browser comes to it the next day, is one.
    flow.cloud.pass_time(24 * HOUR)
    assert flow.people.click(scanned).headers["location"] == BRIEF["link"]
    flow.cloud.settle()
    assert flow.enrolments()[PRIYA] == ("active", "interested", "")
    flow.check()
