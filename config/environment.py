"""Where this checkout lies and what its environment says, `.env` included.

Real environment variables win over `.env`. `ENV_FILE` names another file; empty means none.
`VAR_DIR` names the folder for what a local run keeps.
"""

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

ENV_FILE = os.environ.get("ENV_FILE", str(BASE_DIR / ".env"))
if ENV_FILE and Path(ENV_FILE).exists():
    environ.FileAwareEnv.read_env(ENV_FILE)

VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var"))).resolve()
