"""The official conformance suite: what a revision of the protocol requires, of a server and of a client."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

import installed

pytestmark = pytest.mark.slow

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """The suite's command."""
    return installed.npm("conformance", SUITE)["conformance"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The fixture server, over HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, HERE / "fixture.py", "--http", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        address = server.stderr.readline().split()[-1]
        while server.poll() is None:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 5):
                break
            time.sleep(0.05)
        yield address
        server.terminate()
        server.communicate()


def required(suite: list[str], revision: str, of: str) -> list[str]:
    """The scenarios that a revision requires of a server or a client, without those about authorization."""
    file = Path(suite[1]).parents[1] / "requirements" / f"{revision}.yaml"
    return [name for name in yaml.safe_load(file.read_text(encoding="utf-8"))[of] if not name.startswith("auth/")]


def passed(results: Path, scenario: str) -> bool:
    """Whether the checks of a scenario came out well, and at least one said so."""
    [file] = results.glob(f"{scenario}-20??-??-??T*/checks.json")
    outcomes = {check["status"] for check in json.loads(file.read_text(encoding="utf-8"))}
    return {"SUCCESS"} <= outcomes <= {"SUCCESS", "INFO", "SKIPPED"}


@pytest.mark.parametrize(("revision", "count"), [("2025-11-25", 30), ("2026-07-28", 37)])
def test_a_server_made_with_our_helpers_passes_all_that_is_required_of_one(
    suite: list[str], address: str, revision: str, count: int, tmp_path: Path
) -> None:
    command = [*suite, "server", "--url", address, "--requirements", revision, "--timeout", "300000", "-o", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    scenarios = required(suite, revision, "server")
    assert [name for name in scenarios if not passed(tmp_path, f"server-{name}")] == [], done.stdout
    assert (len(scenarios), done.returncode) == (count, 0)


@pytest.mark.parametrize(("revision", "count"), [("2025-11-25", 4), ("2026-07-28", 7)])
def test_our_host_passes_all_that_is_required_of_a_client_without_authorization(
    suite: list[str], revision: str, count: int, tmp_path: Path
) -> None:
    driver = subprocess.list2cmdline([sys.executable, str(HERE / "client.py")])
    scenarios = required(suite, revision, "client")
    for scenario in scenarios:
        given = ["--command", driver, "--scenario", scenario, "--spec-version", revision, "--timeout", "300000"]
        done = subprocess.run([*suite, "client", *given, "-o", tmp_path], capture_output=True, text=True)
        assert (done.returncode, passed(tmp_path, scenario)) == (0, True), f"{scenario}: {done.stdout}{done.stderr}"
    assert len(scenarios) == count
