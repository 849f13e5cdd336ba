"""`make bench`, small: that it measures, not how fast anything is."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.config.conftest import environment_of

pytestmark = pytest.mark.xdist_group("run")


def bench(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.spending", *options],
        cwd=settings.BASE_DIR,
        env=environment_of(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed: apt-get install wrk")
def test_the_benchmark_measures_and_keeps_what_it_found(home):
    done = bench(
        *(home, "--only", "refill,single"),
        *("--rounds", "1", "--seconds", "1", "--size", "2000"),
    )
    assert done.returncode == 0, done.stderr
    assert "spends inside the database" in done.stdout

    found = json.loads((home / "bench.json").read_text())
    assert found["ratios"].keys() == {"single", "refill"}
    assert all(ratio > 0 for ratio in found["ratios"].values())
    assert found["loads"]["single"]["busy_us_each"].keys() >= {"generator", "web", "database"}
    assert found["postgresql_settings"]["fsync"] == "on"
    assert not (home / "bench" / "postgres").exists()


def test_a_figure_that_does_not_exist_is_refused_by_name(home):
    done = bench(home, "--only", "single,sngle")
    assert done.returncode == 2
    assert "sngle: unknown; there are ceiling, single, hot" in done.stderr
    assert not (home / "bench").exists()


def test_without_wrk_it_says_how_to_get_it(home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = bench(home, "--only", "single")
    assert done.returncode == 1
    assert "apt-get install wrk" in done.stderr
    assert "Traceback" not in done.stderr
