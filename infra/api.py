"""The HTTP API: one public front, whose routes decide between the management API and what the world may call."""

from __future__ import annotations

import json

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.config import InfraConfig
from infra.cors import ALLOWED_HEADERS, EXPOSED_HEADERS, MAX_AGE_S
from infra.nag import acknowledge

PUBLIC_ROUTES = ("/webhooks/{proxy+}", "/t/{proxy+}", "/u/{proxy+}")
"""Providers, tracking, opt-out: never touch Postgres."""

MANAGEMENT_ROUTES = ("/v1/{proxy+}", "/healthz")

ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "route": "$context.routeKey",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_latency_ms": "$context.integrationLatency",
    "integration_error": "$context.integrationErrorMessage",
    "source_ip": "$context.identity.sourceIp",
}
"""Routes, never paths: a tracking or opt-out path carries a signed token that acts for its bearer."""


class Api(Construct):
    """An HTTP API (v2) with access logs and throttling. Made before its functions: they need to know its URL."""

    def __init__(self, scope: Construct, construct_id: str, *, config: InfraConfig) -> None:
        super().__init__(scope, construct_id)
        cors = apigw.CorsPreflightOptions(
            allow_origins=list(config.cors_origins),
            allow_methods=[apigw.CorsHttpMethod.ANY],
            allow_headers=list(ALLOWED_HEADERS),
            expose_headers=list(EXPOSED_HEADERS),
            max_age=Duration.seconds(MAX_AGE_S),
        )
        self.http_api = apigw.HttpApi(
            self, "HttpApi", create_default_stage=False, cors_preflight=cors if config.cors_origins else None
        )
        access_logs = logs.LogGroup(
            self, "AccessLogs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        stage = apigw.HttpStage(
            self,
            "Stage",
            http_api=self.http_api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigw.ThrottleSettings(rate_limit=config.throttle_rate_per_s, burst_limit=config.throttle_burst),
        )
        cfn_stage = stage.node.default_child
        assert isinstance(cfn_stage, apigw.CfnStage)  # noqa: S101 - what CDK makes; the narrowing is for the type checker
        cfn_stage.access_log_settings = apigw.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_logs.log_group_arn, format=json.dumps(ACCESS_LOG)
        )

    @property
    def endpoint(self) -> str:
        """``https://…`` without a trailing slash."""
        return self.http_api.api_endpoint

    def route(self, *, api: lambda_.Function, webhook: lambda_.Function) -> None:
        """Send the public routes to ``webhook`` and everything else to ``api``."""
        to_api = integrations.HttpLambdaIntegration("ToApi", api)  # pyright: ignore[reportArgumentType] - jsii
        to_webhook = integrations.HttpLambdaIntegration("ToWebhook", webhook)  # pyright: ignore[reportArgumentType] - jsii
        for path in PUBLIC_ROUTES:
            self.http_api.add_routes(path=path, integration=to_webhook)
        for path in MANAGEMENT_ROUTES:
            self.http_api.add_routes(path=path, integration=to_api)
        rest = apigw.HttpRoute(
            self, "Rest", http_api=self.http_api, route_key=apigw.HttpRouteKey.DEFAULT, integration=to_api
        )
        reasons = {
            "APIG4": "The functions authenticate: API keys in functions/api; signatures and signed links in "
            "functions/webhook, whose callers (providers, recipients) cannot sign in."
        }
        acknowledge(self.http_api, reasons)
        acknowledge(rest, reasons)
