# Made by `make client` from the API's document: change the routes and models there.

"""Words and values that the API takes and answers."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Literal
from uuid import UUID

Id = UUID | str
Instant = datetime | str
"""Aware, or in RFC 3339."""
Day = date | str
TimeOfDay = time | str

ActionKind = Literal["send", "timeout"]
"""What a scheduled action does when it is due."""
AddressCheck = Literal["unchecked", "ok", "unknown", "no_domain", "no_mx", "disposable"]
"""What is known of whether an address takes mail, beyond its syntax."""
AiOutcome = Literal["answered", "unusable", "unknown"]
"""What a call of a model came to."""
Approval = Literal["not_needed", "wanted", "approved", "rejected"]
"""Whether a person has said yes to an enrolment's plan. Unless they have, or need not, it stays a draft."""
ApprovalAct = Literal["edited", "approved", "rejected", "released"]
"""What the approval log records."""
ApprovalMode = Literal["automatic", "review_each", "review_first"]
"""Whether people look at plans before anything is sent."""
Assigned = Literal["taken", "waiting", "already_there", "no_contacts", "failed", "unknown"]
"""What became of a lead that was given to a campaign."""
AuditAct = Literal[
    "campaign_started",
    "campaign_paused",
    "campaign_resumed",
    "campaign_cancelled",
    "campaign_changed",
    "campaign_scheduled",
    "campaign_unscheduled",
    "campaign_not_started",
    "campaign_closed",
    "campaign_cloned",
    "template_created",
    "template_changed",
    "template_deleted",
    "workflow_created",
    "workflow_changed",
    "workflow_deleted",
    "leads_assigned",
    "automation_switched",
    "automation_run",
    "jobs_retried",
    "dead_letters_redriven",
    "dead_letters_purged",
    "api_key_created",
    "api_key_revoked",
]
"""What the audit log records: what an operator did that leaves no other trace of who did it."""
BatchStatus = Literal["running", "completed", "failed"]
"""An import of leads: its crawls and plans are still being handed out, or all of them have been."""
By = Literal["campaign", "sender", "step", "version", "day"]
"""What a funnel is broken down by."""
CampaignKind = Literal["template", "workflow", "ai"]
"""Where a campaign's content comes from."""
CampaignStatus = Literal["draft", "scheduled", "running", "paused", "completed", "cancelled", "failed"]
"""The umbrella over many enrolments."""
CampaignType = Literal["lead_generation", "outreach", "fully_automated"]
"""What a campaign is for, and where its contacts come from."""
Channel = Literal["email", "sms", "call"]
"""How a message reaches a person."""
ClonedContacts = Literal["none", "same"]
"""Who is in a clone."""
CompanyOrder = Literal["together", "one_after_another"]
"""How a campaign takes the people of one company."""
ConsentAct = Literal["lifted", "erased"]
"""What the consent log records: decisions that leave no other row behind."""
ConsentBasis = Literal["none", "legitimate_interest", "opt_in"]
"""On what ground a person is written to (GDPR Art. 6(1)): none recorded, (f), or (a)."""
ConsentOutcome = Literal["created", "known", "refused"]
"""What became of a row of an import."""
ContactKind = Literal["person", "generic"]
"""Whether an address leads to a person or to a shared mailbox."""
ContactPolicy = Literal["allowed", "needs_basis", "needs_opt_in", "refused"]
"""What a workspace asks for before people of a country are written to."""
Decided = Literal["approved", "approved_before", "changed", "not_needed", "ended", "unknown"]
"""What became of an approval."""
DropReason = Literal["unknown_page", "not_quotable", "not_on_page", "not_its_own"]
"""Why a claim was not believed."""
EnrolmentStatus = Literal["draft", "active", "completed", "stopped", "failed"]
"""Where one contact stands in one campaign."""
ExportFormat = Literal["json", "csv"]
"""How an export is written."""
FailedKind = Literal["crawl", "analysis", "planning", "message"]
"""What can fail and be looked at."""
FindingCode = Literal[
    "malformed",
    "unknown_field",
    "newer_feature",
    "ignored_field",
    "bad_zone",
    "bad_duration",
    "bad_instant",
    "duplicate_node",
    "missing_start",
    "unknown_target",
    "unreachable_node",
    "missing_stop",
    "unbounded_loop",
    "timeout_never_fires",
    "event_never_matches",
    "event_timeout_race",
    "event_timeout_gap",
    "no_reply_route",
    "unknown_variable",
    "missing_content",
    "long_content",
    "no_window",
    "too_long",
    "too_many_sends",
]
"""What kind of thing was found. Authors, the console and the AI planner's repair tell findings apart by it."""
FitLevel = Literal["high", "medium", "low", "unknown"]
"""How much a site and an offering have to do with one another."""
Gate = Literal[
    "enrolment",
    "approval",
    "campaign",
    "address",
    "sender",
    "suppression",
    "consent",
    "event",
    "due",
    "hold",
    "window",
    "gap",
    "frequency",
    "domain",
    "cap",
    "attempt",
]
"""What can stand between an enrolment and its next send."""
Grade = Literal["human", "likely_machine", "machine"]
"""Who is behind a signal. Only `HUMAN` opens and clicks move a plan."""
JobKind = Literal["crawl", "analysis", "planning"]
"""What the job ledger records."""
JobStatus = Literal["QUEUED", "ACTIVE", "COMPLETED", "FAILED", "SKIPPED"]
"""One piece of work that people ask about."""
Kind = Literal["template", "workflow", "lead", "campaign", "enrolment", "mail"]
"""What a row of an export is."""
LeadStatus = Literal["new", "crawling", "crawled", "analyzing", "analyzed", "failed"]
"""A company site, from import to report."""
LegacyOutcome = Literal["created", "changed", "merged", "known", "skipped", "refused"]
"""What became of a row, or would."""
MessageStatus = Literal[
    "queued", "sending", "unknown", "sent", "failed", "skipped", "delivered", "bounced", "complained"
]
"""An outbox row, from queued to what the provider last said of it."""
Passed = Literal["suppressed", "refused", "undeliverable", "no_campaign", "outside_hours", "cap_used_up"]
"""Why a batch did not take somebody."""
Placed = Literal[
    "enrolled", "queued", "already_enrolled", "unknown", "suppressed", "no_address", "undeliverable", "refused"
]
"""What became of a contact that was to be enrolled."""
PlanEvent = Literal[
    "delivered",
    "opened",
    "clicked",
    "replied",
    "bounced",
    "blocked",
    "complained",
    "spamreport",
    "unsubscribed",
    "failed",
    "no_open",
    "no_click",
    "no_reply",
]
"""What a transition can be on.

``blocked`` and ``spamreport`` are the names that the original system's mail provider used; they stay valid.
``spamreport`` is ``complained``. ``blocked`` is a message that the receiver turned away though the address exists:
``failed``, or a bounce that is not permanent.
"""
QueueName = Literal["lead-analysis", "campaign-creation", "engagement-events", "campaign-execution", "message-send"]
"""The queues of the design. Each has a dead-letter queue of its own."""
ResumePolicy = Literal["shift", "keep", "skip_stale"]
"""What becomes of what a pause held back."""
Role = Literal["viewer", "operator", "admin"]
"""What an API key may do; each includes the ones before it."""
RowOutcome = Literal["created", "merged", "refused"]
"""What became of a row, or of the contact that it brought."""
Security = Literal["starttls", "tls", "none"]
"""How the connection to an SMTP server is encrypted."""
SendState = Literal["planned", "due", "queued", "sending", "sent", "failed", "skipped", "not_reached"]
"""Where one send of an enrolment stands."""
Severity = Literal["error", "warning", "note"]
"""Errors refuse a plan. Warnings and notes do not."""
SimulateEntryKind = Literal["entered", "scheduled", "sent", "signal", "timeout", "transition", "ignored", "stopped"]
"""What a line of the timeline tells."""
SuppressionChannel = Literal["email", "phone", "domain"]
"""What a suppression names."""
TimelineEntryKind = Literal[
    "enrolled",
    "decided",
    "signal",
    "due",
    "dropped",
    "not_sent",
    "sent",
    "moved",
    "planned",
    "queued",
    "ended",
    "ahead",
]
"""What an entry tells. Those of one instant are told in this order: cause before effect."""
Tone = Literal["neutral", "formal", "friendly"]
"""How the site speaks to its visitors."""
Topic = Literal["summary", "audience", "product", "signal", "size"]
"""What a claim is about."""
UnknownPolicy = Literal["fail", "assume_sent", "resend"]
"""What becomes of a message of which nobody has heard whether it was sent, once its workspace's bound is past."""
Verdict = Literal["ok", "degraded", "down"]
"""How an installation is, the best first."""
Work = Literal["crawl", "analysis", "planning", "action", "message", "attempt"]
"""What can be overdue."""
