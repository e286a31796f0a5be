"""A local AWS that runs the real stack: starts it, deploys into it, stops it. Loopback only, nothing is kept.

The emulator (ministack) has a virtual environment of its own, ``.venv-aws``: it pins its botocore, and its Python runs
the functions. A function's worker is a child of the emulator and inherits its environment, so that starts clean; the
emulator adds the function's own variables, credentials (of the function's role, when IAM is enforced) and
``AWS_ENDPOINT_URL``.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.error import URLError
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
ACCOUNT = "000000000000"
REGION = "us-east-1"
STACK = "Cadenza"
START_TIMEOUT_S = 30.0
DEPLOY_TIMEOUT_S = 60.0

# If this process dies without a goodbye, its end of the pipe closes, and the emulator takes its whole group with it.
_BOOT = """
import os, signal, sys, threading
def watch():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
from ministack.app import main
main()
"""


class LocalAwsError(RuntimeError):
    """The local AWS did not start, or refused the stack. The message carries what it said."""


@dataclass(frozen=True)
class Outputs:
    """What the deployed stack says about itself. Keys of the mappings are the topology's names."""

    api_url: str
    """Base of the HTTP API at the emulator, without a trailing slash (people use `local.gateway`)."""
    app_secret_arn: str
    mail_events_topic_arn: str
    scheduler_group: str
    queues: Mapping[str, str]
    dead_letters: Mapping[str, str]
    functions: Mapping[str, str]


class LocalAws:
    """One emulator process group for the length of a ``with`` block.

    Args:
        root: The repository.
        port: Loopback port; 0 takes a free one.
        enforce_iam: Refuse what the functions' roles do not grant.

    Raises:
        LocalAwsError: It did not answer in time.
    """

    def __init__(self, *, root: Path = ROOT, port: int = 0, enforce_iam: bool = False) -> None:
        self.root = root
        self.port = port or _free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.session = boto3.Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator's root
            region_name=REGION,
        )
        self.client_config = Config(
            # An environment's proxy must not see what is for this machine only.
            proxies={},
            retries={"total_max_attempts": 2},
            max_pool_connections=32,
        )
        self._enforce_iam = enforce_iam
        self._folder: Path | None = None
        self._synthesis: subprocess.Popen[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # reportUnknownMemberType: `client` has an overload for every service, and only the used ones' stubs are here.
        self._cloudformation = self.session.client(  # pyright: ignore[reportUnknownMemberType]
            "cloudformation", endpoint_url=self.url, config=self.client_config
        )
        self._lambda = self.session.client(  # pyright: ignore[reportUnknownMemberType]
            "lambda", endpoint_url=self.url, config=self.client_config.merge(Config(read_timeout=300))
        )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log_file(self) -> Path:
        """The emulator's log, and what functions failed with. Gone when it is stopped."""
        if self._folder is None:
            raise LocalAwsError("the local AWS is not running")
        return self._folder / "aws.log"

    def stop(self) -> None:
        """End the emulator and every worker of it. Harmless when it is not running."""
        self._cloudformation.close()
        self._lambda.close()
        for process in (self._synthesis, self._process):
            if process is not None:
                _end_group(process)
        self._synthesis = self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def begin_synthesis(self, context: Mapping[str, object]) -> None:
        """Start synthesising what `deploy` will create: it takes seconds that others can use."""
        self._synthesis = self._synthesise({"stage": "local", "stackName": STACK, **context})

    def deploy(self, context: Mapping[str, object]) -> Outputs:
        """Synthesise the stack in the local stage with ``context`` (unless begun), upload its assets and create it.

        Raises:
            LocalAwsError: Synthesis or creation failed; the message says which resource and why.
        """
        if self._synthesis is None:
            self.begin_synthesis(context)
        assembly = self._finish_synthesis()
        uploaded = self._upload_assets(assembly)
        self._cloudformation.create_stack(
            StackName=STACK, TemplateURL=uploaded[f"{STACK}.template.json"], Capabilities=["CAPABILITY_IAM"]
        )
        return self._outputs(self._wait_for_stack())

    def invoke(self, function_name: str, payload: Mapping[str, object]) -> object:
        """Call a function and give back what it returned.

        Raises:
            LocalAwsError: It raised; the message is its error document.
        """
        response = self._lambda.invoke(FunctionName=function_name, Payload=json.dumps(payload).encode())
        body = response["Payload"].read()
        if "FunctionError" in response:
            raise LocalAwsError(f"{function_name}: {body.decode('utf-8', 'replace')}")
        return json.loads(body or b"null")

    def fill_secret(self, arn: str, values: Mapping[str, str]) -> None:
        """Set some keys of the app secret, as an operator would. Functions read it once a process: do it first."""
        client = self.session.client(  # pyright: ignore[reportUnknownMemberType] - see __init__
            "secretsmanager", endpoint_url=self.url, config=self.client_config
        )
        try:
            current: dict[str, str] = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
            client.put_secret_value(SecretId=arn, SecretString=json.dumps({**current, **values}))
        finally:
            client.close()

    # --- start ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        runs = self.root / ".local" / "aws"
        runs.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(runs)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs))
        temporary = self._folder / "tmp"
        temporary.mkdir()
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "TMPDIR": str(temporary),
            "STATE_DIR": str(self._folder / "state"),
            "PERSIST_STATE": "0",
            "PYTHONUNBUFFERED": "1",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "AUTH": "true" if self._enforce_iam else "false",
            "MINISTACK_REGION": REGION,
            "LOG_LEVEL": "INFO",
            # Listeners of services that this stack does not use.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [str(self.root / ".venv-aws/bin/python"), "-c", _BOOT],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C reaches only us, and we end it as a whole.
                start_new_session=True,
            )
        self._wait_until_healthy(self._process)

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            with suppress(URLError, OSError), opener.open(f"{self.url}/_ministack/health", timeout=2) as response:
                if response.status == 200:  # noqa: PLR2004 - HTTP's own constant
                    return
            time.sleep(0.05)
        raise LocalAwsError(f"the local AWS did not start on {self.url}:\n{self._log_tail()}")

    def _log_tail(self, size: int = 4000) -> str:
        return self.log_file.read_text("utf-8", "replace")[-size:]

    # --- deploy --------------------------------------------------------------------------------------------------

    @property
    def _assembly(self) -> Path:
        if self._folder is None:
            raise LocalAwsError("the local AWS is not running")
        return self._folder / "cdk.out"

    def _synthesise(self, context: Mapping[str, object]) -> subprocess.Popen[str]:
        """Run the CDK app in a process of its own, as the CDK CLI does; it starts a Node.js that must end again."""
        assembly = self._assembly
        return subprocess.Popen(
            [sys.executable, "-m", "infra.app"],
            cwd=self.root,
            env={
                # Clean as well: a PYTHONDONTWRITEBYTECODE would compile CDK's megabytes anew each time (3 s).
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": os.environ.get("HOME", str(assembly.parent)),
                "CDK_OUTDIR": str(assembly),
                "CDK_CONTEXT_JSON": json.dumps(context, default=str),
                "TMPDIR": str(assembly.parent / "tmp"),
                "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _finish_synthesis(self) -> Path:
        process = self._synthesis
        if process is None:
            raise LocalAwsError("no synthesis has begun")
        said, _ = process.communicate()
        self._synthesis = None
        if process.returncode:
            raise LocalAwsError(f"synthesis failed:\n{said[-4000:]}")
        return self._assembly

    def _upload_assets(self, assembly: Path) -> dict[str, str]:
        """Put every asset (the template is one) where the template expects it; their URLs, by path in the assembly."""
        manifest = cast("dict[str, Any]", json.loads((assembly / f"{STACK}.assets.json").read_text("utf-8")))
        s3 = self.session.client(  # pyright: ignore[reportUnknownMemberType] - see __init__
            "s3", endpoint_url=self.url, config=self.client_config
        )
        try:
            buckets: set[str] = set()
            urls: dict[str, str] = {}
            for asset in manifest["files"].values():
                source = assembly / asset["source"]["path"]
                body = _zipped(source) if asset["source"]["packaging"] == "zip" else source.read_bytes()
                for destination in asset["destinations"].values():
                    bucket = _resolve(destination["bucketName"])
                    if bucket not in buckets:
                        s3.create_bucket(Bucket=bucket)
                        buckets.add(bucket)
                    key = _resolve(destination["objectKey"])
                    s3.put_object(Bucket=bucket, Key=key, Body=body)
                    urls[asset["source"]["path"]] = f"{self.url}/{bucket}/{key}"
            return urls
        finally:
            s3.close()

    def _wait_for_stack(self) -> dict[str, str]:
        deadline = time.monotonic() + DEPLOY_TIMEOUT_S
        status = ""
        while time.monotonic() < deadline:
            stack = self._cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
            status = stack["StackStatus"]
            if status == "CREATE_COMPLETE":
                return {o.get("OutputKey", ""): o.get("OutputValue", "") for o in stack.get("Outputs", [])}
            if status != "CREATE_IN_PROGRESS":
                break
            time.sleep(0.05)
        # Its events do not say why; its log does.
        raise LocalAwsError(f"the stack ended as {status}:\n{self._log_tail()}")

    def _outputs(self, values: Mapping[str, str]) -> Outputs:
        def named(suffix: str) -> dict[str, str]:
            return {_kebab(key.removesuffix(suffix)): value for key, value in values.items() if key.endswith(suffix)}

        api_id = str(urlsplit(values["ApiEndpoint"]).hostname).partition(".")[0]
        dead_letters = named("DeadLetterQueueUrl")
        return Outputs(
            api_url=f"{self.url}/_aws/execute-api/{api_id}/$default",
            app_secret_arn=values["AppSecretArn"],
            mail_events_topic_arn=values["MailEventsTopicArn"],
            scheduler_group=values["SchedulerGroup"],
            queues={name: url for name, url in named("QueueUrl").items() if not name.endswith("-dead-letter")},
            dead_letters=dead_letters,
            functions=named("FunctionName"),
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end_group(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Kill the process group: nothing of it is kept, and workers in the middle of a call would not listen."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


def _remove_leftovers(runs: Path) -> None:
    """Remove the folders of runs whose process is gone (``<pid>-<random>``)."""
    for folder in runs.iterdir():
        pid = folder.name.partition("-")[0]
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _zipped(folder: Path) -> bytes:
    """``folder`` as a ZIP archive, stored: it travels over loopback only."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def _resolve(text: str) -> str:
    return text.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)


def _kebab(title: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in title).lstrip("-")
