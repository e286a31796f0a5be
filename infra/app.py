"""Synthesis entry: ``python -m infra.app`` (cdk.json). Its context comes from the CDK CLI, or from CDK_CONTEXT_JSON."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.config import InfraConfig
from infra.stack import CadenzaStack

FLAGS = {
    # A new layer is a new version of its functions: the migrations run when the domain layer changes.
    "@aws-cdk/aws-lambda:recognizeLayerVersion": True,
    "@aws-cdk/aws-lambda:recognizeVersionProps": True,
    # One policy a role, one statement a grant: smaller templates, readable diffs.
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/aws-apigateway:disableCloudWatchRole": True,
    "@aws-cdk/core:target-partitions": ["aws", "aws-cn", "aws-us-gov"],
    "@aws-cdk/aws-iam:standardizedServicePrincipals": True,
    "aws-cdk:enableDiffNoFail": True,
}
"""Behaviour of CDK itself. Here rather than in cdk.json: tests and the local system synthesise without the CLI."""


def make_app(context: Mapping[str, object] | None = None, *, outdir: str | None = None) -> tuple[App, CadenzaStack]:
    """An app with its one stack, checked by cdk-nag at synthesis.

    Raises:
        pydantic.ValidationError: The context is malformed; the message names the key.
    """
    app = App(context={**FLAGS, **(context or {})}, outdir=outdir, analytics_reporting=False)
    config = InfraConfig.from_context(app.node)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app, CadenzaStack(app, config.stack_name, config=config)


if __name__ == "__main__":
    make_app()[0].synth()
