# Made by `make client` from the API's document: change the routes and models there.

"""Operations on contacts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Contacts:
    """Operations on contacts."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewContact]) -> answers.Contact:
        """Add a person by hand."""
        return self._api.ask(
            answers.Contact,
            "POST",
            "/v1/contacts",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def change(
        self, contact_id: kinds.Id, *, if_match: str | None = None, **body: Unpack[bodies.ContactChange]
    ) -> answers.Contact:
        """Change what is named of a person; what is not named stays.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            contact_id: Id of the contact.
        """
        return self._api.ask(
            answers.Contact, "PATCH", "/v1/contacts/{}", contact_id, headers={"if-match": if_match}, body=body
        )

    def end_hold(self, contact_id: kinds.Id, *, if_match: str | None = None) -> None:
        """End a person's hold; what it has put off keeps its new time.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            contact_id: Id of the contact.
        """
        return self._api.ask(type(None), "DELETE", "/v1/contacts/{}/hold", contact_id, headers={"if-match": if_match})

    def erase(self, contact_id: kinds.Id, *, reason: str | None = None) -> answers.Erased:
        """Erase a person (GDPR Art. 17): their data is gone for good, and their address stays unreachable.

        Args:
            reason: Why; it is kept, so name nobody in it.
            contact_id: Id of the contact.
        """
        return self._api.ask(answers.Erased, "DELETE", "/v1/contacts/{}", contact_id, query={"reason": reason})

    def export(self, contact_id: kinds.Id) -> answers.PersonalData:
        """Hand out everything that is held about a person (GDPR Art. 15 and 20).

        Args:
            contact_id: Id of the contact.
        """
        return self._api.ask(answers.PersonalData, "GET", "/v1/contacts/{}/export", contact_id)

    def get(self, contact_id: kinds.Id) -> answers.Contact:
        """Show a person, and whether they may be written to.

        Args:
            contact_id: Id of the contact.
        """
        return self._api.ask(answers.Contact, "GET", "/v1/contacts/{}", contact_id)

    def get_hold(self, contact_id: kinds.Id) -> answers.HoldStatus:
        """Show until when nothing goes to a person.

        Args:
            contact_id: Id of the contact.
        """
        return self._api.ask(answers.HoldStatus, "GET", "/v1/contacts/{}/hold", contact_id)

    def list(
        self,
        *,
        lead_id: kinds.Id | None = None,
        email: str | None = None,
        suppressed: bool | None = None,
        limit: int | None = None,
        cursor: kinds.Id | None = None,
    ) -> Page[answers.Contact]:
        """List people and shared mailboxes.

        Args:
            lead_id: Only what belongs to this lead.
            email: In any case.
            suppressed: Only what has this suppressed.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Contact],
            "GET",
            "/v1/contacts",
            query={"lead_id": lead_id, "email": email, "suppressed": suppressed, "limit": limit, "cursor": cursor},
        )

    def list_all(
        self, *, lead_id: kinds.Id | None = None, email: str | None = None, suppressed: bool | None = None
    ) -> Iterator[answers.Contact]:
        """Go through all pages of `list`."""
        return follow(
            lambda cursor: self.list(lead_id=lead_id, email=email, suppressed=suppressed, limit=200, cursor=cursor)
        )

    def put_hold(
        self, contact_id: kinds.Id, *, if_match: str | None = None, **body: Unpack[bodies.WantedHold]
    ) -> answers.HoldStatus:
        """Leave a person alone until then, in all campaigns; it replaces the hold that there is.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            contact_id: Id of the contact.
        """
        return self._api.ask(
            answers.HoldStatus, "PUT", "/v1/contacts/{}/hold", contact_id, headers={"if-match": if_match}, body=body
        )
