"""What SES reports about the mails that it took, published to its topic in the shapes of its event publishing."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import uuid4

import httpx2
from pydantic import JsonValue

from cadenza.core.clock import Clock, utc_now
from local.world.mail import MESSAGE_TAG, CapturedMail
from local.world.sns import Subscription

ACCOUNT: Final = "000000000000"


class SesReports:
    """The events of one configuration set. Each method returns the HTTP answer that the delivery got."""

    def __init__(self, topic: Subscription, *, clock: Clock = utc_now) -> None:
        self._topic = topic
        self._clock = clock

    def sent(self, mail: CapturedMail) -> httpx2.Response:
        """SES has taken the mail."""
        return self.publish(mail, "Send", {"send": {}})

    def delivered(self, mail: CapturedMail, *, report_id: str = "") -> httpx2.Response:
        """The receiving server took the mail."""
        delivery: JsonValue = {
            "timestamp": self._now(),
            "smtpResponse": "250 2.6.0 Message received",
            "recipients": list(mail.recipients),
        }
        return self.publish(mail, "Delivery", {"delivery": delivery}, report_id=report_id)

    def bounced(self, mail: CapturedMail, *, hard: bool) -> httpx2.Response:
        """The receiving server refused the mail: for good, or for now."""
        kind, subtype, status = ("Permanent", "NoEmail", "5.1.1") if hard else ("Transient", "MailboxFull", "4.2.2")
        recipients: JsonValue = [
            {"emailAddress": to, "action": "failed", "status": status, "diagnosticCode": f"smtp; 550 {status}"}
            for to in mail.recipients
        ]
        bounce: JsonValue = {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": recipients,
            "timestamp": self._now(),
            "feedbackId": f"{uuid4()}-000000",
        }
        return self.publish(mail, "Bounce", {"bounce": bounce})

    def complained(self, mail: CapturedMail) -> httpx2.Response:
        """The recipient pressed the spam button."""
        complaint: JsonValue = {
            "complainedRecipients": [{"emailAddress": to} for to in mail.recipients],
            "timestamp": self._now(),
            "feedbackId": f"{uuid4()}-000000",
            "complaintFeedbackType": "abuse",
        }
        return self.publish(mail, "Complaint", {"complaint": complaint})

    def publish(
        self, mail: CapturedMail, event: str, details: dict[str, JsonValue], *, report_id: str = ""
    ) -> httpx2.Response:
        """Report ``event`` on ``mail``; the same ``report_id`` is a repetition of the same report."""
        body: dict[str, JsonValue] = {
            "eventType": event,
            "mail": {
                "timestamp": _instant(mail.captured_at),
                "source": mail.sender,
                "sendingAccountId": ACCOUNT,
                "messageId": mail.provider_id,
                "destination": list(mail.recipients),
                "headersTruncated": False,
                "commonHeaders": {"subject": mail.subject, "messageId": mail.provider_id},
                "tags": {"ses:configuration-set": [mail.configuration_set], MESSAGE_TAG: [mail.message_id]},
            },
            **details,
        }
        return self._topic.publish(body, message_id=report_id)

    def _now(self) -> str:
        return _instant(self._clock())


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
