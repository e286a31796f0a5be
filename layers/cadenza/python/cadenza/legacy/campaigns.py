"""Old campaigns as ours, with their settings and the plan that their people share. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

from pydantic import JsonValue, ValidationError

from cadenza.campaigns.compiling import compiled
from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.campaigns.model import MAX_CAP, CampaignBrief
from cadenza.core.states import CAMPAIGN_ENDED, CampaignKind, CampaignStatus, CampaignType
from cadenza.engine.rules import CampaignRules
from cadenza.legacy.content import steps_to_send
from cadenza.legacy.reading import squashed
from cadenza.legacy.records import OldCampaign
from cadenza.legacy.values import CAMPAIGN_STATES, CAMPAIGN_TYPES, METRICS, spoken_state
from cadenza.legacy.wanted import Entry, WantedCampaign, WantedTemplate, WantedWorkflow, reference
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.model import parse_plan
from cadenza.planning.zones import find_zone

_DAYS: Final = {name: day for day, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), start=1)}
_WALL: Final = re.compile(r"(\d{1,2})(?::(\d{2}))?(?::\d{2})?\s*(am|pm)?", re.IGNORECASE)
_NOON: Final = 12


def campaign_of(
    old: OldCampaign,
    templates: Mapping[str, WantedTemplate],
    workflows: Mapping[str, WantedWorkflow],
    entry: Entry,
) -> WantedCampaign | None:
    """The campaign; None: the entry says why it cannot be taken."""
    name = old.name or old.id
    if not name:
        entry.refuse("name", "has neither a name nor an id")
    status, type_ = _status(old, entry), _type(old, entry)
    template, workflow = templates.get(old.template_id), workflows.get(old.workflow_id)
    if old.workflow_id and workflow is None:
        entry.refuse("workflow_id", "names a workflow that is not in the export, or was refused")
    elif old.template_id and template is None and workflow is None:
        entry.refuse("template_id", "names a template that is not in the export, or was refused")
    if template is not None and workflow is not None:
        entry.note("names a template and a workflow: its workflow is taken")
        template = None
    brief, rules = _brief(old, entry), _rules(old, entry)
    source, plan = _shared_plan(old, template, workflow, brief, entry)
    if not entry.is_open or status is None:
        return None
    has_content = template is not None or workflow is not None
    return WantedCampaign(
        entry,
        reference(old.id, "campaign", old.name),
        name,
        CampaignKind.WORKFLOW if workflow else CampaignKind.TEMPLATE if has_content else CampaignKind.AI,
        type_,
        status,
        template,
        workflow,
        brief,
        rules,
        _daily_cap(old, entry),
        old.sender.lower(),
        source,
        plan,
        old.created_at,
        old.started_at,
        old.finished_at,
        _metrics(old.metrics),
    )


def read_plan(source: object, entry: Entry, name: str = "plan") -> tuple[dict[str, JsonValue], CompiledPlan] | None:
    """A campaign plan as it was exported; None: the entry says what is wrong with it."""
    found = compile_for_mail(source)
    if found.plan is None:
        for error in found.errors[:10]:
            entry.refuse(name, f"{error.pointer or '/'}: {error.message}. {error.fix}".strip())
        return None
    return parse_plan(source).to_json(), found.plan


def _shared_plan(
    old: OldCampaign,
    template: WantedTemplate | None,
    workflow: WantedWorkflow | None,
    brief: CampaignBrief,
    entry: Entry,
) -> tuple[dict[str, JsonValue] | None, CompiledPlan | None]:
    steps = workflow.steps if workflow is not None else ((template, "PT0S"),) if template is not None else ()
    if steps:
        source, problems = compiled(steps_to_send(steps), brief)
        for problem in problems:
            entry.refuse(problem.pointer[1:].replace("/", "."), problem.detail)
        return source, None if problems else compile_for_mail(source).plan
    if old.plan is not None:
        return read_plan(old.plan, entry) or (None, None)
    return None, None


def _status(old: OldCampaign, entry: Entry) -> CampaignStatus | None:
    said = spoken_state(old.status)
    status = CAMPAIGN_STATES.get(said or "draft")
    if status is None:
        entry.refuse("status", f"is none of {', '.join(sorted(CAMPAIGN_STATES))}")
        return None
    if status is CampaignStatus.SCHEDULED:
        entry.note("scheduled → draft: schedule its start here, once you have looked at it")
        return CampaignStatus.DRAFT
    if said and said != status:
        entry.note(f"status {said} → {status}")
    return status


def _type(old: OldCampaign, entry: Entry) -> CampaignType:
    said = spoken_state(old.type)
    found = CAMPAIGN_TYPES.get(said)
    if said != found:
        entry.note(f"type {said or '(none)'} → {found or CampaignType.OUTREACH}"[:100])
    return found or CampaignType.OUTREACH


def _brief(old: OldCampaign, entry: Entry) -> CampaignBrief:
    zone = next(
        (x for x in (old.schedule.get("timezone"), old.settings.get("timezone")) if isinstance(x, str) and x), ""
    )
    if zone and find_zone(zone) is None:
        entry.note("its time zone is no IANA name: taken as UTC")
        zone = ""
    return CampaignBrief(offering="", time_zone=zone or "UTC")


def _daily_cap(old: OldCampaign, entry: Entry) -> int | None:
    said = next(
        (old.settings[x] for x in ("dailylimit", "dailycap", "maxperday", "sendlimit") if x in old.settings), None
    )
    if said in (None, "", 0, "0"):
        return None
    try:
        cap = int(float(str(said)))
    except (ValueError, OverflowError):
        cap = 0
    if not 1 <= cap <= MAX_CAP:
        entry.note("its daily limit is no number of mails: left out, the workspace's holds")
        return None
    return cap


# --- working hours -----------------------------------------------------------------------------------------------


def _rules(old: OldCampaign, entry: Entry) -> CampaignRules:
    settings = {**old.schedule, **old.settings}
    hours = settings.get("workinghours") or settings.get("sendinghours") or settings.get("businesshours")
    named = {squashed(x): y for x, y in cast("dict[str, object]", hours).items()} if isinstance(hours, dict) else {}
    start = named.get("start", settings.get("workinghoursstart"))
    end = named.get("end", settings.get("workinghoursend"))
    days = settings.get("workingdays") or settings.get("sendingdays") or named.get("days")
    given: dict[str, object] = {}
    try:
        if start is not None or end is not None:
            given |= {"working_hours_start": _wall(start), "working_hours_end": _wall(end)}
        if days:
            given["working_days"] = _days(days, entry)
        return CampaignRules.model_validate(given)
    except (ValidationError, ValueError):
        # To send at hours that nobody wanted would be worse than to ask.
        entry.refuse("settings", "its working hours cannot be read: write them as 09:00 and 17:00, its days as 1 to 7")
        return CampaignRules()


def _wall(said: object) -> str:
    found = _WALL.fullmatch(str(said).strip())
    if found is None:
        raise ValueError("no time of day")
    hour, half = int(found[1]), (found[3] or "").lower()
    if half:
        hour = hour % _NOON + (_NOON if half == "pm" else 0)
    return f"{hour:02}:{found[2] or '00'}"


def _days(said: object, entry: Entry) -> list[int]:
    if isinstance(said, str):
        said = [part for part in re.split(r"[,;\s]+", said) if part]
    if not isinstance(said, list):
        raise ValueError("no list of days")  # noqa: TRY004 - told by the caller, in one form
    days: list[int] = []
    for day in cast("list[object]", said):
        text = str(day).strip().lower()
        number = _DAYS.get(text[:3]) if text[:3] in _DAYS else int(text)
        if number == 0:
            entry.note("working day 0 is taken as Sunday (7)")
        days.append(number or 7)
    return days


def _metrics(old: Mapping[str, object]) -> dict[str, int]:
    """What the old system counted, under our names."""
    found: dict[str, int] = {}
    for name, value in old.items():
        ours = METRICS.get(name)
        if ours and isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_CAP:
            found.setdefault(ours, int(value))
    return found


def has_ended(status: CampaignStatus) -> bool:
    """Whether nothing is sent any more."""
    return status in CAMPAIGN_ENDED
