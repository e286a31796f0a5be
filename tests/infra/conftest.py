from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.app import make_app
from infra.topology import FUNCTIONS

Resource = dict[str, Any]


@dataclass(frozen=True)
class Synthesised:
    """A template as CloudFormation would get it, and where it lies."""

    path: Path
    template: dict[str, Any]
    report: dict[str, Any]

    def of_type(self, kind: str) -> dict[str, Resource]:
        """Resources of a CloudFormation type, by logical id."""
        return {name: r for name, r in self.template["Resources"].items() if r["Type"] == kind}

    def function(self, name: str) -> Resource:
        """The one function of the topology with this name."""
        (found,) = (
            f["Properties"]
            for f in self.of_type("AWS::Lambda::Function").values()
            if f["Properties"].get("Description") == f"Cadenza: {name}"
        )
        return found

    def statements(self, name: str) -> list[dict[str, Any]]:
        """Every policy statement of a function's role."""
        role = self.function(name)["Role"]["Fn::GetAtt"][0]
        return [
            statement
            for policy in self.of_type("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Properties"]["Roles"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Stand-ins for code and layers: what they contain changes nothing in the template but hashes."""
    root = tmp_path_factory.mktemp("assets")
    for name in FUNCTIONS:
        folder = root / "functions" / name
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text("def handler(event, context): ...\n")
    for name in ("cadenza", "dependencies"):
        folder = root / "layers" / name / "python"
        folder.mkdir(parents=True)
        (folder / f"{name}.txt").write_text(name)
    return {"functionsRoot": str(root / "functions"), "layersRoot": str(root / "layers")}


def synthesise(out: Path, context: dict[str, object]) -> Synthesised:
    """Synthesise as ``python -m infra.app`` does; cdk-nag runs with it, and an unacknowledged finding raises."""
    app, stack = make_app(context, outdir=str(out))
    app.synth()
    path = out / f"{stack.stack_name}.template.json"
    report = out / "validation-report.json"
    return Synthesised(
        path=path,
        template=json.loads(path.read_text()),
        report=json.loads(report.read_text()) if report.exists() else {},
    )


@pytest.fixture(scope="session")
def production(assets: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """What is deployed with nothing but a sender and an alarm address chosen."""
    context = {**assets, "senderIdentities": ["mail.example"], "alarmEmail": "ops@mail.example"}
    return synthesise(tmp_path_factory.mktemp("production"), context)


@pytest.fixture(scope="session")
def local(assets: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """What the local AWS runs."""
    context = {
        **assets,
        "stage": "local",
        "databaseUrl": "postgresql+pg8000://postgres@127.0.0.1/cadenza",
        "snsOrigin": "http://127.0.0.1:4100",
    }
    return synthesise(tmp_path_factory.mktemp("local"), context)


@pytest.fixture(scope="session", params=["production", "local"])
def either(request: pytest.FixtureRequest) -> Synthesised:
    """Each stage in turn: what must hold in both."""
    found: Synthesised = request.getfixturevalue(request.param)
    return found
