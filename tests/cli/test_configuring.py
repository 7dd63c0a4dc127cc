"""`init`, `check`, `schema` and `doctor`."""

from __future__ import annotations

import json
import socket
import tomllib
from pathlib import Path

import pytest

from switchover.cli.main import run
from switchover.cli.service_detection import detect_services
from tests.cli.harness import Project


def append(project: Project, text: str) -> None:
    project.config_file.write_text(project.config_file.read_text() + text)


def test_a_good_file_is_good(project: Project) -> None:
    ran = project.run("check")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.endswith("switchover.toml: good\n")


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("services/shop", "services/shpo", "services.shop.path", "there is no folder services/shpo"),
        ("services/shop", "../shop", "services.shop.path", "lies outside the repository"),
        ('"{python}"', '"no-such-program-here"', "services.shop.command", "no-such-program-here is not on the PATH"),
        ('"{python}"', '"./run"', "services.shop.command", "./run is not a program in shop"),
    ],
)
def test_what_a_path_or_a_command_refers_to_must_be_there(
    project: Project, old: str, new: str, key: str, message: str
) -> None:
    project.config_file.write_text(project.config_file.read_text().replace(old, new))
    ran = project.run("check", "--json")
    assert ran.status == 2
    assert [(each["key"], message in each["message"]) for each in ran.json["problems"]] == [(key, True)]


def test_a_manifest_of_another_name_is_a_problem(project: Project) -> None:
    (project.root / "services" / "shop" / "package.json").write_text('{"name": "store", "version": "1.0.0"}')
    ran = project.run("check")
    assert ran.status == 2
    assert "services.shop.package: " in ran.out
    assert "store" in ran.out


def test_a_port_may_not_stand_there_twice_or_be_taken(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f'listen = "127.0.0.1:{taken.getsockname()[1]}"\n'
        append(project, f"[environments.production.services.shop]\n{listen}")
        append(project, f"[environments.staging.services.shop]\n{listen}")
        ran = project.run("check")
    assert ran.status == 2
    assert "environments.production.services.shop.listen: cannot listen on" in ran.out
    assert "is environments.production.services.shop.listen already" in ran.out


def test_gates_that_wait_for_each_other_are_named_once(project: Project) -> None:
    append(project, '[environments.production.gates]\nafter = ["staging"]\n')
    append(project, '[environments.staging.gates]\nafter = ["production"]\n')
    ran = project.run("check", "--json")
    assert ran.status == 2
    (problem,) = ran.json["problems"]
    assert problem["key"] == "environments.production.gates.after"
    assert "production -> staging -> production" in problem["message"]


def test_a_variable_that_is_not_set_here_is_only_a_notice(project: Project) -> None:
    append(project, '[notifications]\nwebhook_variable = "NO_SUCH_VARIABLE_HERE"\n')
    ran = project.run("check", "--json")
    assert ran.status == 0
    assert [each["key"] for each in ran.json["notices"]] == ["notifications.webhook_variable"]


def test_what_init_writes_passes_check_and_is_never_overwritten(project: Project) -> None:
    project.config_file.unlink()
    odd = project.root / "services" / "Web Shöp 2"
    (odd / "web").mkdir(parents=True)
    (odd / "web" / "__main__.py").touch()
    (odd / "pyproject.toml").write_text('[project]\nname = "web-shop"\nversion = "1.0.0"\n')
    ran = project.run("init", "--json")
    assert ran.status == 0, ran.err
    assert [service["name"] for service in ran.json["services"]] == ["web-sh-p-2", "shop"]
    text = project.config_file.read_text()
    assert text.startswith("#:schema ./switchover.schema.json\n")
    json.loads((project.root / "switchover.schema.json").read_text())
    assert tomllib.loads(text)["services"]["web-sh-p-2"]["command"] == ["{python}", "-m", "web"]
    assert project.run("check").status == 0
    again = project.run("init")
    assert again.status == 2
    assert project.config_file.read_text() == text


def test_init_where_there_is_nothing_to_deploy_writes_nothing(project: Project) -> None:
    project.config_file.unlink()
    (project.root / "services" / "shop" / "package.json").unlink()
    ran = project.run("init")
    assert ran.status == 2
    assert not project.config_file.exists()


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"pyproject.toml": '[project]\nname = "a"', "a/__main__.py": ""}, ("{python}", "-m", "a")),
        ({"pyproject.toml": '[project]\nname = "a"', "app.py": ""}, ("{python}", "app.py")),
        ({"package.json": '{"name": "a", "scripts": {"start": "node ."}}'}, ("npm", "start")),
        ({"package.json": '{"name": "a", "main": "index.js"}', "index.js": ""}, ("node", "index.js")),
    ],
)
def test_the_command_is_read_from_what_lies_in_the_folder(
    tmp_path: Path, files: dict[str, str], command: tuple[str, ...]
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (service,) = detect_services(tmp_path)
    assert (service.path, service.command, service.is_guess) == (".", command, False)


def test_doctor_names_what_is_needed_and_how_to_get_it(project: Project) -> None:
    ran = project.run("doctor", "--json")
    parts = {part["name"]: part for part in ran.json["parts"]}
    assert {"Python", "git", "envoy", "supervisor", "trivy", "cosign", "Prefect API"} <= set(parts)
    assert parts["Python"]["found"]
    assert "state of production" in parts
    missing = [name for name, part in parts.items() if part["required"] and not part["found"]]
    assert ran.status == (1 if missing else 0)
    assert all(part["how_to_get"] for part in parts.values())


def test_doctor_refuses_a_state_folder_that_others_can_enter(project: Project) -> None:
    state = project.root / ".switchover" / "production"
    state.mkdir(parents=True)
    state.chmod(0o755)
    ran = project.run("doctor")
    assert ran.status == 1
    assert "required and missing: state of production" in ran.out


def test_a_repository_of_packages_alone_needs_no_service_and_no_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "switchover.toml").write_text('[project]\nname = "library"\n', encoding="utf-8")
    config = ["--config", str(tmp_path / "switchover.toml")]
    assert run(["check", *config]) == 0
    assert run(["status", *config]) == 0
    assert run(["deploy", "shop", "1.0.0", *config]) == 2
    assert "there is no environment" in capsys.readouterr().err
