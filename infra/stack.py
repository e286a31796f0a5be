"""The stack: which construct is told about which other, and what is printed at the end."""

from __future__ import annotations

from aws_cdk import CfnOutput, DefaultStackSynthesizer, Stack
from constructs import Construct

from infra.api import Api
from infra.config import InfraConfig
from infra.database import Aurora, Database, GivenDatabase
from infra.functions import Functions
from infra.mail import Mail
from infra.monitoring import Monitoring
from infra.network import Network
from infra.queues import Queues
from infra.schedules import Schedules
from infra.secret import AppSecret


class CadenzaStack(Stack):
    """One installation of Cadenza."""

    def __init__(self, scope: Construct, construct_id: str, *, config: InfraConfig) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Cadenza: serverless outreach campaigns",
            # The local AWS is not bootstrapped.
            synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=not config.is_local),
        )
        api = Api(self, "Api", config=config)
        queues = Queues(self, "Queues", config=config)
        execution = queues["campaign-execution"]
        swept = (execution, queues["lead-analysis"])
        schedules = Schedules(self, "Schedules", config=config, execution=execution, swept=swept)
        mail = Mail(self, "Mail", config=config)
        secret = AppSecret(self, "AppSecret", config=config)
        public_url = config.public_url or api.endpoint
        functions = Functions(
            self,
            "Functions",
            config=config,
            queues=queues,
            schedules=schedules,
            database=self._database(config),
            secret=secret.secret,
            mail=mail,
            public_url=public_url,
        )
        api.route(api=functions["api"], webhook=functions["webhook"])
        if not config.is_local:
            mail.subscribe(public_url, after=api)
        Monitoring(self, "Monitoring", config=config, queues=queues, functions=functions, schedules=schedules)

        self._output("ApiEndpoint", api.endpoint)
        self._output("AppSecretArn", secret.secret.secret_arn)
        self._output("MailEventsTopicArn", mail.events.topic_arn)
        if mail.rule_set_name:
            self._output("InboundRuleSet", mail.rule_set_name)
        self._output("SchedulerGroup", str(schedules.group.name))
        for name, pair in queues.pairs.items():
            self._output(f"{_title(name)}QueueUrl", pair.queue.queue_url)
            self._output(f"{_title(name)}DeadLetterQueueUrl", pair.dead_letters.queue_url)
        for function_name, function in functions.items():
            self._output(f"{_title(function_name)}FunctionName", function.function_name)

    def _database(self, config: InfraConfig) -> Database:
        if config.database_url:
            return GivenDatabase(config.database_url)
        network = Network(self, "Network", config=config)
        return Aurora(self, "Database", config=config, network=network)

    def _output(self, name: str, value: str) -> None:
        CfnOutput(self, name, value=value)


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
