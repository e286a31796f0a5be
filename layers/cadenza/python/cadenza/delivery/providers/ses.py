"""Amazon SES v2. It has no idempotency key, so each error is either certain (nothing was taken) or `Ambiguous`."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from enum import Enum, auto
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, assert_never

from cadenza.core.errors import Retryable
from cadenza.delivery.model import Ambiguous, EarlierMail, Mail, Outcome, Quota, Rejected, Sent
from cadenza.delivery.providers import accounts

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import SendEmailRequestTypeDef

NAME: Final = accounts.SES
MESSAGE_TAG: Final = "cadenza-message-id"
"""The tag by which SES's events name our message."""

CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 20
"""Long, because giving up on an answer costs a message: nobody may send it again."""


class Meaning(Enum):
    """What an error says about the message."""

    REJECTED = auto()
    """This message will never be taken."""
    RETRYABLE = auto()
    """It was not taken, for a reason that lies elsewhere: load, the account, the sender's domain, our credentials."""
    AMBIGUOUS = auto()
    """It may have been taken."""


# Errors of SendEmail (SES API v2 reference) and those common to all AWS services. Trouble with the account or the
# identity waits for a person: it must not burn the messages of a whole campaign.
MEANINGS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "MessageRejected": Meaning.REJECTED,
        "BadRequestException": Meaning.REJECTED,
        "ValidationException": Meaning.REJECTED,
        "InvalidParameterValue": Meaning.REJECTED,
        "RequestEntityTooLargeException": Meaning.REJECTED,
        "TooManyRequestsException": Meaning.RETRYABLE,
        "LimitExceededException": Meaning.RETRYABLE,
        "ThrottlingException": Meaning.RETRYABLE,
        "Throttling": Meaning.RETRYABLE,
        "RequestThrottled": Meaning.RETRYABLE,
        "RequestThrottledException": Meaning.RETRYABLE,
        "AccountSuspendedException": Meaning.RETRYABLE,
        "SendingPausedException": Meaning.RETRYABLE,
        "MailFromDomainNotVerifiedException": Meaning.RETRYABLE,
        "NotFoundException": Meaning.RETRYABLE,  # the configuration set is missing
        "ConcurrentModificationException": Meaning.RETRYABLE,
        "ConflictException": Meaning.RETRYABLE,
        "AccessDenied": Meaning.RETRYABLE,
        "AccessDeniedException": Meaning.RETRYABLE,
        "NotAuthorized": Meaning.RETRYABLE,
        "OptInRequired": Meaning.RETRYABLE,
        "ExpiredToken": Meaning.RETRYABLE,
        "ExpiredTokenException": Meaning.RETRYABLE,
        "RequestExpired": Meaning.RETRYABLE,
        "IncompleteSignature": Meaning.RETRYABLE,
        "InvalidClientTokenId": Meaning.RETRYABLE,
        "InvalidSignatureException": Meaning.RETRYABLE,
        "MissingAuthenticationToken": Meaning.RETRYABLE,
        "MissingAuthenticationTokenException": Meaning.RETRYABLE,
        "SignatureDoesNotMatch": Meaning.RETRYABLE,
        "UnrecognizedClientException": Meaning.RETRYABLE,
        "ServiceUnavailable": Meaning.RETRYABLE,
        "ServiceUnavailableException": Meaning.RETRYABLE,
        "InternalFailure": Meaning.AMBIGUOUS,
        "InternalServerError": Meaning.AMBIGUOUS,
        "InternalServiceError": Meaning.AMBIGUOUS,
        "InternalServiceErrorException": Meaning.AMBIGUOUS,
        "RequestTimeout": Meaning.AMBIGUOUS,
        "RequestTimeoutException": Meaning.AMBIGUOUS,
    }
)


def meaning(code: str, http_status: int) -> Meaning:
    """What an error answer says. A code that is not in `MEANINGS` is judged by its HTTP status, on the safe side."""
    known = MEANINGS.get(code)
    if known is not None:
        return known
    match http_status:
        case 401 | 403 | 404 | 409 | 429 | 503:
            return Meaning.RETRYABLE
        case status if 400 <= status < 500:  # noqa: PLR2004 - HTTP's classes
            return Meaning.REJECTED
        case _:
            return Meaning.AMBIGUOUS


@cache
def ses_client() -> SESV2Client:
    """The process's SES client. It never retries by itself: a retry after a lost answer would send twice."""
    import boto3  # noqa: PLC0415 - heavy; only where mail is sent
    from botocore.config import Config  # noqa: PLC0415 - comes with boto3

    return boto3.client(  # pyright: ignore[reportUnknownMemberType] - the stubs cover the clients we use, not all
        "sesv2",
        config=Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
        ),
    )


class Ses:
    """A `cadenza.delivery.model.Provider`."""

    def __init__(self, configuration_set: str = "", client: SESV2Client | None = None, tenant: str = "") -> None:
        """``client`` defaults to the process's own, made on first use; one of your own must not retry.

        ``tenant`` is the SES tenant of those senders whose settings name none.
        """
        self._configuration_set = configuration_set
        self._tenant = tenant
        self._own_client = client

    def send(self, mail: Mail) -> Outcome:
        """See `cadenza.delivery.model.Provider.send`."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

        request: SendEmailRequestTypeDef = {
            "FromEmailAddress": mail.sender,
            "Destination": {"ToAddresses": [mail.to]},
            "Content": {"Raw": {"Data": mail.raw}},
            "EmailTags": [{"Name": MESSAGE_TAG, "Value": str(mail.message_id)}],
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        if tenant := mail.identity.settings.get("tenant") or self._tenant:
            request["TenantName"] = str(tenant)
        try:
            answer = self._client.send_email(**request)
        except ClientError as error:
            return _answered(error)
        except BotoCoreError as error:
            return _unanswered(error)
        return Sent(answer["MessageId"])

    def header_id(self, mail: EarlierMail) -> str:
        """SES replaces our Message-ID by its own id at a domain of its region (SES developer guide, header fields)."""
        region = self._client.meta.region_name
        domain = "email.amazonses.com" if region == "us-east-1" else f"{region}.amazonses.com"
        return f"<{mail.provider_message_id}@{domain}>"

    def quota(self) -> Quota:
        """What the account allows in its region (GetAccount). Max24HourSend is -1 where there is no limit."""
        said = self._client.get_account().get("SendQuota", {})
        a_day = int(said.get("Max24HourSend", -1))
        return Quota(
            None if a_day < 0 else a_day, int(said.get("SentLast24Hours", 0)), float(said.get("MaxSendRate", 0))
        )

    def close(self) -> None:
        """See `cadenza.delivery.model.Provider.close`."""
        self._client.close()

    @property
    def _client(self) -> SESV2Client:
        return self._own_client or ses_client()


def _answered(error: ClientError) -> Rejected | Ambiguous:
    code = error.response.get("Error", {}).get("Code", "")
    http_status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    detail = f"SES: {code or http_status}"
    match verdict := meaning(code, http_status):
        case Meaning.REJECTED:
            # SES's own words stay in the outbox, for people; what is raised goes to the log, where no address may go.
            return Rejected(f"{detail}: {error.response.get('Error', {}).get('Message', '')}")
        case Meaning.AMBIGUOUS:
            return Ambiguous(detail)
        case Meaning.RETRYABLE:
            raise Retryable(detail) from error
        case _:
            assert_never(verdict)


def _unanswered(error: BotoCoreError) -> Ambiguous:
    """No answer. Whatever happened before the request could leave is certain; the rest is not."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError, SSLError  # noqa: PLC0415 - comes with boto3

    detail = f"SES: {type(error).__name__}"
    in_flight = isinstance(error, HTTPClientError | IncompleteReadError) or (
        # TLS can break before the request or after it; only a refused certificate is certain.
        isinstance(error, SSLError) and not _certificate_refused(error)
    )
    if in_flight:
        return Ambiguous(detail)
    # What is left could not connect, or never tried to: no credentials, a request that makes no sense.
    raise Retryable(detail) from error


def _certificate_refused(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
