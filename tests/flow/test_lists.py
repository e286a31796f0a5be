"""A sheet of companies and people, from its upload to the first mails, with every function running."""

from __future__ import annotations

from datetime import timedelta

from tests.flow.world import World

FORNO, NOWHERE = "fornoatlantico.example", "nobody-is-here.example"
INES, MARTA, RUI = (f"{name}@{FORNO}" for name in ("ines.duarte", "marta.figueira", "rui.carvalho"))
NEW, LOST = f"zoe.acme@{FORNO}", f"uhu.acme@{NOWHERE}"

SHEET = (
    "\ufeffWebsite;First name;Last name;E-Mail;Job title\r\n"
    f"www.{FORNO};Inês;Duarte;{INES};Queen of ovens\r\n"
    f"https://{FORNO}/contacto;Zoe;Acme;{NEW};\r\n"
    f"{NOWHERE};Uhu;Acme;{LOST};CTO\r\n"
    "not a site;;;;\r\n"
)


def test_people_on_a_list_are_written_to_with_those_of_their_site(flow: World) -> None:
    """Otherwise a list is taken in and nothing follows; or a dead site costs the people who were named for it."""
    # Given a campaign.
    campaign_id = flow.campaign()

    # When a sheet comes in for it, the client asks again because it has lost the answer, and it starts.
    headers = {"Content-Type": "text/csv", "Idempotency-Key": '"the fair"'}
    target = f"/v1/lead-batches/import?campaign_id={campaign_id}"
    first, again = (flow.api.post(target, content=SHEET.encode(), headers=headers) for _ in range(2))

    flow.post(f"/v1/campaigns/{campaign_id}/start")

    # Then it was taken once, each row is answered for, and all that can be written to are, once.
    assert (first.status_code, again.text, again.headers["idempotent-replayed"]) == (202, first.text, "true")
    assert [row["outcome"] for row in first.json()["items"]] == ["created", "merged", "created", "refused"]
    flow.cloud.pass_time(timedelta(minutes=30))
    assert flow.messages() == {address: [("intro", "sent")] for address in (INES, MARTA, RUI, NEW, LOST)}
    ((title,),) = flow.rows("SELECT title FROM contacts WHERE email = :email", email=INES)
    assert title == "Queen of ovens", "what the operator says is not overwritten by what the site says"
    assert "CTO" not in flow.mails(LOST)[0].text
    batch = flow.api.get(f"/v1/lead-batches/{first.json()['id']}").json()
    assert (batch["status"], batch["leads"]) == ("completed", {"analyzed": 1, "failed": 1})
    flow.check()
