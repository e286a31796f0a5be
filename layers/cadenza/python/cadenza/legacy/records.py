"""The rows of old systems, typed. Tolerant of how they were written, not of what makes no sense. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from cadenza.legacy.reading import squashed
from cadenza.legacy.values import Any_, Id, Instant, Line, Number, Rows, Url, Words


def _also(*names: str) -> Any:  # noqa: ANN401 - as Pydantic's Field
    """A field with the other names that it had, in the form of `squashed`."""
    return Field(default=None, validate_default=True, validation_alias=AliasChoices(*names))


def _inner(value: object) -> object:
    """A field of fields, by their squashed names."""
    if value in (None, ""):
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("is not an object")  # noqa: TRY004 - Pydantic's way
    return {squashed(name): inner for name, inner in cast("Mapping[str, object]", value).items()}


Inner = Annotated[dict[str, Any], BeforeValidator(_inner)]


class Record(BaseModel):
    """What all of them have. Fields that nobody knows are left alone."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore", loc_by_alias=False)

    id: Id = _also("id", "uuid")


class OldTemplate(Record):
    """A hand-written mail."""

    name: Line = _also("name", "title")
    subject: Words = _also("subject", "subjectline")
    html: Words = _also("html", "htmlbody", "bodyhtml", "htmlcontent")
    text: Words = _also("text", "textbody", "bodytext", "plaintext", "textcontent")
    body: Words = _also("body", "content", "message")


class OldWorkflow(Record):
    """Steps, one after the other."""

    name: Line = _also("name", "title", "workflowname")
    steps: Rows = _also("steps", "nodes", "emails")


class OldStep(Record):
    """One step. It names its template, or brings its words."""

    order: Number = _also("order", "steporder", "position", "stepnumber", "index", "step")
    template_id: Id = _also("templateid", "template", "emailtemplateid")
    subject: Words = _also("subject")
    html: Words = _also("html", "htmlbody")
    text: Words = _also("text", "textbody")
    body: Words = _also("body", "content")
    type: Line = _also("type", "action")


class OldLead(Record):
    """A person, a company's site, or both."""

    email: Line = _also("email", "emailaddress", "mail")
    name: Line = _also("name", "fullname", "contactname")
    first_name: Line = _also("firstname", "givenname")
    last_name: Line = _also("lastname", "surname", "familyname")
    company: Line = _also("company", "companyname", "organization", "organisation")
    website: Url = _also("website", "url", "companyurl", "companywebsite", "domain", "companydomain")
    title: Line = _also("title", "jobtitle", "position", "role")
    phone: Line = _also("phone", "phonenumber", "mobile", "tel")
    country: Line = _also("country", "countrycode")
    time_zone: Line = _also("timezone", "tz")
    language: Line = _also("language", "lang", "locale")
    status: Line = _also("status", "state", "leadstatus")
    campaign_id: Id = _also("campaignid", "campaign")


class OldCampaign(Record):
    """A campaign with its content, by reference, and who is in it."""

    name: Line = _also("name", "title")
    type: Line = _also("type", "campaigntype")
    status: Line = _also("status", "state")
    template_id: Id = _also("templateid", "template", "emailtemplateid")
    workflow_id: Id = _also("workflowid", "workflow", "sequenceid", "sequence")
    leads: Rows = _also("leads", "leadids", "contacts", "contactids", "recipients")
    schedule: Inner = _also("schedule", "scheduling")
    settings: Inner = _also("settings", "config", "options")
    metrics: Inner = _also("metrics", "stats", "statistics", "analytics")
    sender: Line = _also("senderemail", "fromemail", "sender", "from")
    plan: Any_ = _also("plan")
    created_at: Instant = _also("createdat", "created")
    started_at: Instant = _also("startedat")
    finished_at: Instant = _also("finishedat", "completedat", "endedat")


class OldEnrolment(Record):
    """Somebody in a campaign."""

    campaign_id: Id = _also("campaignid", "campaign")
    lead_id: Id = _also("leadid", "contactid", "prospectid", "lead", "contact", "id")
    email: Line = _also("email", "emailaddress")
    status: Line = _also("status", "state")
    plan: Any_ = _also("plan", "campaignplan")
    node: Line = _also("currentnode", "currentnodeid", "node", "nodeid", "currentstep")


class OldMail(Record):
    """A mail that was sent, or is to be."""

    campaign_id: Id = _also("campaignid", "campaign")
    lead_id: Id = _also("leadid", "contactid", "prospectid", "lead", "contact")
    email: Line = _also("email", "to", "recipient", "recipientemail", "leademail", "toemail")
    template_id: Id = _also("templateid", "template", "emailtemplateid")
    step: Line = _also("step", "stepnumber", "steporder", "stepindex", "order", "nodeid", "node")
    scheduled_at: Instant = _also("scheduledat", "sendat", "scheduledfor", "scheduleddate", "scheduledtime")
    status: Line = _also("status", "state")
    sent_at: Instant = _also("sentat", "sentdate")
    delivered_at: Instant = _also("deliveredat")
    opened_at: Instant = _also("openedat", "firstopenedat")
    clicked_at: Instant = _also("clickedat", "firstclickedat")
    replied_at: Instant = _also("repliedat")
    bounced_at: Instant = _also("bouncedat")
    complained_at: Instant = _also("complainedat")
    unsubscribed_at: Instant = _also("unsubscribedat")
    error: Words = _also("error", "errormessage", "failurereason", "reason")
    message_id: Line = _also("messageid", "providermessageid", "externalid")
