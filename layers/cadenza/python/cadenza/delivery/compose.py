"""From a claimed message to the mail that leaves. What is sent and what is previewed are made here, alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cadenza.core.states import Channel
from cadenza.delivery.mime import build, header_id
from cadenza.delivery.model import Claimed, EarlierMail, Mail, Provider, Rejected
from cadenza.delivery.render import Rendered, render
from cadenza.signals.links import Links


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail, and the words that are in it."""

    rendered: Rendered
    mail: Mail


def compose(message: Claimed, links: Links, providers: Mapping[str, Provider], now: datetime) -> Composed | Rejected:
    """Make the mail, or say why there can be none."""
    if message.channel is not Channel.EMAIL:
        return Rejected(f"no provider for {message.channel} is set up")
    rendered = render(message, links)
    if isinstance(rendered, Rejected):
        return rendered
    thread = [_header_id(earlier, providers) for earlier in message.thread]
    opt_out_url = links.unsubscribe(message.stay.message_id)
    mail = build(message, rendered, opt_out_url=opt_out_url, thread=thread, now=now)
    return mail if isinstance(mail, Rejected) else Composed(rendered, mail)


def _header_id(mail: EarlierMail, providers: Mapping[str, Provider]) -> str:
    """Under which Message-ID the recipient has it: what its provider made of it, if that is known."""
    provider = providers.get(mail.provider)
    if provider is None or not mail.provider_message_id:
        return header_id(mail.message_id, mail.sender_domain)
    return provider.header_id(mail)
