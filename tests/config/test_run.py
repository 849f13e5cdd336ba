"""`make run` with real processes: what it starts, says, keeps, refuses, heals and leaves."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest
from django.conf import settings

from tests.config.conftest import Run, environment_of, processes_of

pytestmark = pytest.mark.xdist_group("run")
StartRun = Callable[..., Run]


def ask(url: str, **headers: str) -> dict[str, object]:
    with urlopen(Request(url, headers=headers)) as answer:
        facts: dict[str, object] = json.loads(answer.read())
        return facts


def names_of(home: Path) -> set[str]:
    return {Path(process.cmdline()[0]).name for process in processes_of(home) if process.cmdline()}


def manage(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=settings.BASE_DIR,
        env=environment_of(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_one_clear_line(run: Run, *words: str) -> None:
    assert run.until_ended() == 1
    assert "Traceback" not in run.output
    last = run.output.strip().splitlines()[-1]
    assert all(word in last for word in words), run.output


def test_everything_it_promises_is_there(running: Run) -> None:
    checks = {"database": "ok", "migrations": "ok", "broker": "ok"}
    base = running.demo["base_url"]
    assert base == f"http://127.0.0.1:{running.port}"
    assert ask(f"{base}/health/ready/") == {"status": "ready", "checks": checks}
    assert stat.S_IMODE((running.home / "demo.json").stat().st_mode) == 0o600
    facts = set(running.demo)
    assert facts >= {"base_url", "staff", "customer", "organization", "api_key", "service_api_key"}
    for told in (running.demo["staff"], running.demo["customer"]):
        assert told["email"] in running.output
        assert told["password"] in running.output


def test_the_curl_line_works_when_pasted(running: Run) -> None:
    answer = subprocess.run(
        ["bash", "-c", running.curl], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(answer)["credits"] == 1


def test_the_scheduler_and_the_worker_are_real_processes(running: Run) -> None:
    lines = [" ".join(process.cmdline()) for process in processes_of(running.home)]
    for part in ("gunicorn", "-A config worker", "-A config beat", "valkey-server"):
        assert any(part in line for line in lines), part


def test_a_second_run_is_refused_and_the_first_goes_on(running: Run) -> None:
    assert_one_clear_line(Run(running.home), "make run", "already", str(running.home))
    assert ask(f"{running.demo['base_url']}/health/")


def test_a_command_by_hand_uses_the_servers_that_run(running: Run) -> None:
    servers = names_of(running.home)
    done = manage(running.home, "check_ledger")
    assert done.returncode == 0, done.stderr
    assert names_of(running.home) == servers


def test_a_command_by_hand_brings_its_own_servers_where_none_run(home: Path) -> None:
    for _ in range(2):
        done = manage(home, "migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        assert not processes_of(home)


def test_two_commands_at_once_share_the_servers(home: Path) -> None:
    """Whichever owns the servers, they stay for the one that takes longer."""
    manage(home, "migrate", "--verbosity=0")
    code = "import time; time.sleep({}); from credits.models import User; User.objects.count()"
    commands = [
        subprocess.Popen(
            [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", code.format(seconds)],
            cwd=settings.BASE_DIR,
            env=environment_of(home),
        )
        for seconds in (0, 3)
    ]
    assert [one.wait() for one in commands] == [0, 0]


def test_ctrl_c_leaves_no_process_and_the_next_start_keeps_the_data(
    run: StartRun, home: Path
) -> None:
    first = run().until_running()
    told = first.demo
    subprocess.run(["bash", "-c", first.curl], capture_output=True, check=True)
    assert first.press_ctrl_c() == 0, first.output
    assert "Traceback" not in first.output
    assert not processes_of(home)

    second = run().until_running()
    assert {**second.demo, "base_url": ""} == {**told, "base_url": ""}
    spends = "from credits.models import Spend; print(Spend.objects.count())"
    assert manage(home, "shell", "--verbosity=0", "-c", spends).stdout.strip() == "1"


@pytest.mark.parametrize("line", ["Starting the database", "Preparing", "Starting the web"])
def test_ctrl_c_while_it_starts_leaves_no_process(run: StartRun, home: Path, line: str) -> None:
    starting = run()
    while line not in starting.output:
        time.sleep(0.01)
    assert starting.press_ctrl_c() == 0, starting.output
    assert "Traceback" not in starting.output
    assert not processes_of(home)


def test_what_a_killed_run_left_is_stopped_by_the_next(run: StartRun, home: Path) -> None:
    killed = run().until_running()
    os.killpg(killed.process.pid, signal.SIGKILL)
    killed.until_ended()
    orphans = {process.pid for process in processes_of(home)}
    assert orphans

    done = manage(home, "check_ledger")
    assert done.returncode == 0, done.stderr
    assert orphans <= {process.pid for process in processes_of(home)}

    healed = run().until_running()
    assert "Stopping PostgreSQL" in healed.output
    assert orphans.isdisjoint(process.pid for process in processes_of(home))
    assert healed.demo["api_key"] == killed.demo["api_key"]


def test_a_server_that_no_record_names_is_stopped_too(home: Path) -> None:
    sleeping = "print('awake', flush=True); import time; time.sleep(600)"
    killed = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", sleeping],
        cwd=settings.BASE_DIR,
        env=environment_of(home),
        stdout=subprocess.PIPE,
    )
    assert killed.stdout
    assert killed.stdout.readline() == b"awake\n"
    killed.kill()
    killed.communicate()
    for process in processes_of(home):
        if process.name().startswith("valkey"):
            process.kill()
    (home / "processes.json").unlink()

    done = manage(home, "migrate", "--verbosity=0")
    assert done.returncode == 0, done.stderr
    assert "Stopping PostgreSQL" in done.stdout


def test_when_a_process_dies_it_says_so_and_stops_the_rest(run: StartRun, home: Path) -> None:
    started = run().until_running()
    for process in processes_of(home):
        if "beat" in process.cmdline():
            process.kill()
    assert_one_clear_line(started, "The scheduler", "ended by itself")
    assert not processes_of(home)


def test_a_port_in_use_is_named_with_the_way_out(run: StartRun) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert_one_clear_line(run(PORT=str(port)), f"Port {port}", f"PORT={port + 1} make run")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PORT": "web"}, ["PORT", "'web'", "1 to 65535"]),
        ({"DATABASE_URL": "mysql://root:secret@db/credits"}, ["DATABASE_URL", "postgres://"]),
    ],
)
def test_nonsense_in_the_environment_is_one_clear_line(
    home: Path, environment: dict[str, str], words: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "config.run"],
        cwd=settings.BASE_DIR,
        env=environment_of(home) | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(word in done.stderr for word in words)
    assert "secret" not in done.stderr


def test_a_damaged_data_folder_is_named(run: StartRun, home: Path) -> None:
    (home / "postgres" / "data").mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(home / "postgres", *nobody())
    assert_one_clear_line(run(), "damaged", f"Delete the folder {home / 'postgres'}")


@pytest.mark.parametrize("half_written", ["", "\0", "some"])
def test_a_wrong_password_of_the_database_is_named(
    run: StartRun, home: Path, half_written: str
) -> None:
    assert manage(home, "migrate", "--verbosity=0").returncode == 0
    (home / "postgres" / "password").write_text(half_written)
    words = ["is not PostgreSQL's password"] if half_written == "some" else ["damaged"]
    assert_one_clear_line(run(), *words, str(home / "postgres"), "to start with an empty")


@pytest.mark.parametrize("half_written", ["", "[", "5"])
def test_half_written_notes_of_a_killed_run_are_written_anew(
    run: StartRun, home: Path, half_written: str
) -> None:
    assert manage(home, "migrate", "--verbosity=0").returncode == 0
    for note in ("addresses.json", "processes.json", "postgres/data/postmaster.pid"):
        (home / note).write_text(half_written)
    (home / "secret_key").write_text("")
    run().until_running()


def test_only_their_owner_reads_what_the_processes_say(home: Path) -> None:
    """A link to set a password anew is among it."""
    log = home / "log"
    log.mkdir(mode=0o755)
    assert manage(home, "migrate", "--verbosity=0").returncode == 0
    assert stat.S_IMODE(log.stat().st_mode) == 0o700


def test_a_data_folder_half_made_is_made_anew(home: Path) -> None:
    half_made = home / "postgres.draft" / "data"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    assert manage(home, "migrate", "--verbosity=0").returncode == 0
    assert not (home / "postgres.draft").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as another user")
def test_where_postgresqls_user_cannot_enter_nothing_is_opened(home: Path) -> None:
    home.chmod(0o700)
    done = manage(home, "migrate", "--verbosity=0")
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    link = home / "postgres"
    data = link.resolve()
    assert link.is_symlink()
    assert (data / "data" / "PG_VERSION").exists()
    subprocess.run(["rm", "-r", data.parent], check=True)


def nobody() -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def test_the_record_of_processes_names_only_real_ones(running: Run) -> None:
    record = json.loads((running.home / "processes.json").read_text())
    assert [row["name"] for row in record] == [
        "PostgreSQL",
        "Valkey",
        "The web server",
        "The worker",
        "The scheduler",
    ]
    assert all(psutil.pid_exists(row["pid"]) for row in record)
