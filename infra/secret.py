"""The one JSON secret of an installation: a generated link-signing key, and places for the providers' keys."""

from __future__ import annotations

import json

from aws_cdk import CfnResource, Token
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.config import InfraConfig
from infra.nag import acknowledge

PROVIDER_KEYS = (
    "firecrawl_api_key",
    "firecrawl_webhook_secret",
    "events_webhook_secret",
    "inbound_webhook_secret",
    "sendgrid_webhook_key",
    "openai_api_key",
)
"""Empty means: not configured. An operator fills them in; a later deployment does not touch the value."""


class AppSecret(Construct):
    """The app secret (``cadenza.core.settings.Secrets``)."""

    def __init__(self, scope: Construct, construct_id: str, *, config: InfraConfig) -> None:
        super().__init__(scope, construct_id)
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description="Link-signing key (generated) and providers' keys (filled in by hand)",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps(dict.fromkeys(PROVIDER_KEYS, "")),
                generate_string_key="link_signing_key",
                password_length=64,
                exclude_punctuation=True,
            ),
            # Without the signing key, opt-out links in mails already sent stop working.
            removal_policy=config.data_removal,
        )
        acknowledge(
            secret,
            {"SMG4": "Providers rotate their own keys; a new signing key would break links already sent."},
        )
        resource = secret.node.default_child
        assert isinstance(resource, CfnResource)  # noqa: S101 - what CDK makes; the narrowing is for the type checker
        # "Id" is the ARN, on AWS as in the emulator; "Ref" is the ARN on AWS only.
        self.secret: secretsmanager.ISecret = secretsmanager.Secret.from_secret_complete_arn(
            self, "ByArn", Token.as_string(resource.get_att("Id"))
        )
