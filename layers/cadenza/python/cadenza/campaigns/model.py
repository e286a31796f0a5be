"""What operators say about a campaign and about who sends it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cadenza.campaigns.intake import DEFAULT_GAP, Gap, Intake
from cadenza.core.ids import SenderId, TemplateId, WorkflowId
from cadenza.core.states import ApprovalMode, CampaignKind, CampaignType, CompanyOrder
from cadenza.delivery.addresses import is_sendable
from cadenza.delivery.providers.accounts import SES, SMTP, SesAccount, SmtpAccount
from cadenza.engine.rules import CampaignRules
from cadenza.planning.brief import Cadence
from cadenza.planning.model import Hours
from cadenza.planning.zones import find_zone

MAX_CAP: Final = 2_147_483_647
"""What a Postgres integer holds."""

MAX_PASSWORD: Final = 1000
"""In UTF-8 that fits a standard parameter of the Parameter Store, which holds 4 KB."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Paragraph = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]


class CampaignBrief(BaseModel):
    """What the planner is told: what is offered, to what end, in which tone, at what pace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offering: Paragraph = ""
    """One or two whole sentences in the sender's own words ("We plan …"): they stand in the mails as they are.
    Needed where plans are written for each contact (kind ``ai``)."""
    goal: Paragraph = "a short first conversation"
    ask: Paragraph = ""
    """The closing question; "" lets the planner choose one."""
    link: HttpUrl | None = None
    """The only link that a mail may carry."""
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
    """Where neither the contact nor the site says which (ISO 639-1)."""
    time_zone: Line = "UTC"
    """IANA name, where the contact's own is unknown."""
    quiet_hours: Hours | None = None
    cadence: Cadence = Cadence()

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        if find_zone(name) is None:
            raise ValueError("is no IANA time zone")
        return name


def _says_how_many(first_n: int, info: ValidationInfo) -> int:
    if info.data.get("approval_mode") is ApprovalMode.REVIEW_FIRST and not first_n:
        raise ValueError("say how many plans must be approved before the rest go by themselves: 1 or more")
    return first_n


FirstN = Annotated[int, Field(ge=0, le=10_000, validate_default=True), AfterValidator(_says_how_many)]
"""Of `ApprovalMode.REVIEW_FIRST`; stands behind ``approval_mode`` in its model."""


def _of_template(template_id: TemplateId | None, info: ValidationInfo) -> TemplateId | None:
    return _content_of(CampaignKind.TEMPLATE, template_id, info)


def _of_workflow(workflow_id: WorkflowId | None, info: ValidationInfo) -> WorkflowId | None:
    return _content_of(CampaignKind.WORKFLOW, workflow_id, info)


C = TypeVar("C", TemplateId, WorkflowId)


def _content_of(needed_by: CampaignKind, content_id: C | None, info: ValidationInfo) -> C | None:
    kind = info.data.get("kind", needed_by)
    if content_id is not None and kind is not needed_by:
        raise ValueError(f'a campaign of the kind "{kind}" has none: leave it out, or say "kind": "{needed_by}"')
    return content_id


_LEFT_OUT: Final = object()


def _left_out() -> CampaignBrief:
    return cast("CampaignBrief", _LEFT_OUT)  # until it is validated


TemplateOf = Annotated[TemplateId | None, AfterValidator(_of_template)]
WorkflowOf = Annotated[WorkflowId | None, AfterValidator(_of_workflow)]
"""With `TemplateOf`: stands behind ``kind`` in its model."""


class NewCampaign(BaseModel):
    """A campaign to create. It starts as a draft, and what it lacks may be given until it starts.

    Its ``kind`` says what it sends: ``ai`` a plan that is written for each contact from ``brief``; ``template`` one
    mail, that of ``template_id``; ``workflow`` the mails of ``workflow_id``. Of ``brief`` the last two need nothing;
    its ``time_zone`` and ``quiet_hours`` hold for them as well.

    ``approval_mode`` (with ``approval_first_n``) may be stricter than the workspace's: of the two the stricter holds.
    What people have written needs no approval.

    ``intake`` is for fully automated ones: whom they take by themselves (if not said, everybody). With the
    ``company_order`` `one_after_another` the people of a company are taken one by one, ``company_gap`` apart (ISO
    8601), until somebody replies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line
    kind: CampaignKind = CampaignKind.AI
    type: CampaignType = CampaignType.OUTREACH
    sender_id: SenderId | None = None
    template_id: TemplateOf = None
    workflow_id: WorkflowOf = None
    brief: CampaignBrief = Field(default_factory=_left_out, validate_default=True)
    rules: CampaignRules = CampaignRules()
    daily_cap: int | None = Field(default=None, ge=1, le=MAX_CAP)
    approval_mode: ApprovalMode | None = None
    approval_first_n: FirstN = 0
    intake: Intake | None = None
    company_order: CompanyOrder = CompanyOrder.TOGETHER
    company_gap: Gap = DEFAULT_GAP

    @field_validator("intake")
    @classmethod
    def _of_automated_ones(cls, intake: Intake | None, info: ValidationInfo) -> Intake | None:
        if intake is not None and info.data.get("type") is not CampaignType.FULLY_AUTOMATED:
            raise ValueError(f"only a campaign of type {CampaignType.FULLY_AUTOMATED} takes people by itself")
        return intake

    @field_validator("brief", mode="before")
    @classmethod
    def _offers(cls, brief: object, info: ValidationInfo) -> object:
        if brief is _LEFT_OUT and info.data.get("kind") is CampaignKind.AI:
            raise ValueError("say what is offered: {offering, …}")
        return CampaignBrief() if brief is _LEFT_OUT else brief


class CampaignChange(BaseModel):
    """What is to change of a campaign; what is left out stays. A ``brief`` or ``rules`` are replaced as a whole.

    Null takes the sender, the content, the cap or the approval mode away. The kind stays: clone it to another one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line | None = None
    type: CampaignType | None = None
    sender_id: SenderId | None = None
    template_id: TemplateId | None = None
    workflow_id: WorkflowId | None = None
    brief: CampaignBrief | None = None
    rules: CampaignRules | None = None
    daily_cap: int | None = Field(default=None, ge=1, le=MAX_CAP)
    approval_mode: ApprovalMode | None = None
    approval_first_n: int | None = Field(default=None, ge=0, le=10_000)
    intake: Intake | None = None
    company_order: CompanyOrder | None = None
    company_gap: Gap | None = None


class WarmUp(BaseModel):
    """How a new sender's cap grows while mailbox providers get to know it.

    On the n-th UTC day after ``starts_on`` it is ``first_day × factor^n + step × n``, rounded down, and never more than
    ``ceiling``; before that day it is as on it. The sender's own ``daily_cap`` holds as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    starts_on: date
    first_day: int = Field(ge=1, le=MAX_CAP)
    factor: float = Field(default=1, ge=1, le=2)
    step: int = Field(default=0, ge=0, le=MAX_CAP)
    ceiling: int = Field(ge=1, le=MAX_CAP)

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.ceiling < self.first_day:
            raise ValueError("ceiling must not be below first_day")
        if self.factor == 1 and self.step == 0 and self.ceiling > self.first_day:
            raise ValueError("it would never grow: give a factor above 1 or a step above 0")
        return self


def _sendable(address: str) -> str:
    if not is_sendable(address):
        raise ValueError("is no address that mail can be sent from, such as you@your-domain.example")
    return address


Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), AfterValidator(_sendable)]


class NewSmtp(SmtpAccount):
    """A mailbox and its password, which is stored apart and never shown again."""

    password: SecretStr = SecretStr("")

    @field_validator("password")
    @classmethod
    def _speakable(cls, password: SecretStr) -> SecretStr:
        value = password.get_secret_value()
        if "\0" in value or len(value) > MAX_PASSWORD:
            raise ValueError(f"has a NUL character, or more than {MAX_PASSWORD} characters")
        return password

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password go together")
        if not self.username and not self.is_loopback:
            raise ValueError("username and password are missing: mail servers take mail from nobody they do not know")
        return self

    @property
    def account(self) -> SmtpAccount:
        """All of it but the password."""
        return SmtpAccount.model_validate(self.model_dump(exclude={"password"}))


class NewSender(BaseModel):
    """Who sends. The postal address stands in every mail (15 U.S.C. 7704(a)(5), CAN-SPAM).

    With ``smtp`` the mail leaves through that mailbox, else through SES, which ``ses`` may say more about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line
    email: Address
    company: Line
    postal_address: Line
    reply_to: Address | Literal[""] = ""
    daily_cap: int | None = Field(default=None, ge=1, le=MAX_CAP)
    warm_up: WarmUp | None = None
    smtp: NewSmtp | None = None
    ses: SesAccount | None = None

    @model_validator(mode="after")
    def _one_provider(self) -> Self:
        if self.smtp is not None and self.ses is not None:
            raise ValueError("smtp and ses exclude each other: mail leaves one way")
        return self

    @property
    def provider(self) -> str:
        """The name of the provider that the mail leaves through."""
        return SES if self.smtp is None else SMTP

    @property
    def provider_settings(self) -> SmtpAccount | SesAccount:
        """What that provider reads."""
        return self.smtp.account if self.smtp is not None else self.ses or SesAccount()


class SenderChange(BaseModel):
    """What is to change of a sender; what is left out stays. Null takes a cap or a warm-up away.

    The address stays: another address is another sender, with a reputation of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line = ""
    company: Line = ""
    postal_address: Line = ""
    reply_to: Address | Literal[""] = ""
    daily_cap: int | None = Field(default=None, ge=1, le=MAX_CAP)
    warm_up: WarmUp | None = None


class SampleRecipient(BaseModel):
    """Somebody made up, to try a plan's words on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Address = "sam@acme.example"
    name: str = "Sam Sample"
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    company: str = "Acme (a sample)"
    domain: str = "acme.example"


class SampleSender(BaseModel):
    """Who would send."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line = "Your Name"
    email: Address = "you@your-domain.example"
    company: Line = "Your Company"
    postal_address: str = "Your postal address"
    reply_to: str = ""
