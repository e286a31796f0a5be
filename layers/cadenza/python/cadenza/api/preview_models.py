"""What the preview routes take and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from cadenza.api.models import Answer
from cadenza.api.plan_models import PlanToCheck
from cadenza.campaigns.model import SampleRecipient, SampleSender
from cadenza.planning.findings import Severity

if TYPE_CHECKING:
    from cadenza.delivery import preview


class PlanToPreview(PlanToCheck):
    """A plan, the send node whose mail is wanted, and who writes to whom; what is left out is made up."""

    node: Annotated[str, Field(min_length=1, max_length=200)]
    recipient: SampleRecipient = SampleRecipient()
    sender: SampleSender = SampleSender()


class Header(Answer):
    """One header field, as it would leave (RFC 2047 words stay encoded)."""

    name: str
    value: str


class PreviewedMail(Answer):
    """A mail as it would leave, but for its links: they lead below ``/preview``, and nothing is recorded of them.

    ``eml`` is all of it (RFC 5322), for a mail program to show.
    """

    sender: str
    to: str
    subject: str
    text: str
    html: str
    headers: tuple[Header, ...]
    eml: str


class PreviewFinding(Answer):
    """What keeps the mail from leaving (an error), or is to be said about it. ``pointer`` leads into the plan."""

    code: str
    severity: Severity
    pointer: str
    message: str
    fix: str


class Preview(Answer):
    """A node's mail; null where ``findings`` say why there is none."""

    node: str
    mail: PreviewedMail | None
    findings: tuple[PreviewFinding, ...]

    @classmethod
    def of(cls, shown: preview.Preview) -> Preview:
        """The answer that tells what was made."""
        composed = shown.composed
        mail = composed and PreviewedMail(
            sender=composed.mail.sender,
            to=composed.mail.to,
            subject=composed.mail.subject,
            text=composed.rendered.text,
            html=composed.rendered.html,
            headers=tuple(Header(name=name, value=value) for name, value in shown.headers),
            eml=composed.mail.raw.decode("ascii"),
        )
        findings = tuple(map(PreviewFinding.model_validate, shown.findings))
        return cls(node=shown.node, mail=mail, findings=findings)
