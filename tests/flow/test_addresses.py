"""Addresses that take no mail: whom a campaign does not write to, and says so."""

from __future__ import annotations

import pytest

from cadenza.contacts import deliverability
from tests.flow.world import World
from tests.unit.name_server import name_server

SITE = "fornoatlantico.example"


@pytest.fixture(autouse=True)
def _with_dns(flow: World, monkeypatch: pytest.MonkeyPatch) -> object:  # pyright: ignore[reportUnusedFunction]
    """The deployed setting, and a name server of our own instead of the system's."""
    monkeypatch.setenv("MX_LOOKUP", "true")
    zone = {SITE: {"MX": "0 ."}, "acme.example": {"MX": "10 mail.acme.example."}}
    with name_server(zone) as server:
        real = deliverability.Dns.__init__
        monkeypatch.setattr(
            deliverability.Dns, "__init__", lambda dns: real(dns, ["127.0.0.1"], port=server.port, lookup_s=1)
        )
        yield flow


def test_a_company_that_takes_no_mail_is_not_written_to_and_it_says_why(flow: World) -> None:
    """Otherwise a campaign bounces at every person of such a company, and its sender is paused for it."""
    # Given a site whose domain says that it takes no mail (RFC 7505).
    campaign_id = flow.campaign(SITE)
    flow.cloud.run()

    # Then its people are known with the reason, and nobody was written to.
    (lead,) = flow.api.get("/v1/leads").json()["items"]
    contacts = flow.api.get(f"/v1/leads/{lead['id']}").json()["contacts"]
    assert len(contacts) >= 3
    assert {contact["address_check"] for contact in contacts} == {"no_mx"}
    assert set(flow.jobs("planning")) == {("SKIPPED", "the domain of the address takes no mail")}
    assert flow.mails() == []
    assert flow.status(campaign_id) == "completed"
    flow.check()


@pytest.mark.parametrize(
    ("address", "status", "reason"),
    [
        ("zoe@acme.example", "COMPLETED", ""),
        ("zoe@nowhere.example", "SKIPPED", "the domain of the address does not exist"),
        ("zoe@mailinator.com", "SKIPPED", "the address is a disposable one"),
    ],
)
def test_a_contact_added_by_hand_is_checked_before_it_is_planned_for(
    flow: World, address: str, status: str, reason: str
) -> None:
    """Otherwise only those whom a crawl has found are checked, and a bought list bounces."""
    # Given a site that has been analysed, and one more person who works there.
    flow.campaign(SITE)
    flow.cloud.run()
    (lead,) = flow.api.get("/v1/leads").json()["items"]
    contact = flow.post("/v1/contacts", {"email": address, "name": "Zoe Acme", "lead_id": lead["id"]})

    # When another campaign takes the site.
    flow.campaign(SITE, start=False)
    flow.cloud.run()

    # Then they are planned for, or the ledger says why not.
    (job,) = flow.rows("SELECT status, reason FROM jobs WHERE contact_id = CAST(:id AS uuid)", id=contact["id"])
    assert (job.status, job.reason) == (status, reason)
