"""credit-ledger: `metering.decrement`, a guarded UPDATE and a ledger row, through SQLAlchemy.

Its package comes without its schema: here are the tables that its statements name, with the keys
that its README tells of, and without row security, which our user of the database passes anyway.
"""

import os
import uuid

from credit_ledger import metering
from sqlalchemy import create_engine, text

PLENTY = 1_000_000
TABLES = """
    CREATE TABLE tenants (id uuid PRIMARY KEY);
    CREATE TABLE credit_balance (
        tenant_id uuid PRIMARY KEY REFERENCES tenants,
        credits numeric(18, 4) NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE credit_ledger (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenants,
        delta numeric(18, 4) NOT NULL,
        reason text NOT NULL,
        idempotency_key text,
        balance_after numeric(18, 4) NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (tenant_id, idempotency_key)
    );
    CREATE INDEX ON credit_ledger (tenant_id);
"""

engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg://", 1), pool_size=1
)


def set_up(count: int) -> None:
    with engine.begin() as connection:
        for statement in TABLES.split(";")[:-1]:
            connection.execute(text(statement))
        tenants = [{"id": tenant, "plenty": PLENTY} for tenant in wallets(count)]
        connection.execute(text("INSERT INTO tenants (id) VALUES (:id)"), tenants)
        connection.execute(
            text("INSERT INTO credit_balance (tenant_id, credits) VALUES (:id, :plenty)"), tenants
        )


def wallets(count: int) -> list[str]:
    return [str(uuid.UUID(int=number)) for number in range(1, count + 1)]


def spend(tenant: str, key: str) -> None:
    assert metering.decrement(tenant, 1, idempotency_key=key, engine=engine).ok


def spent() -> int:
    with engine.begin() as connection:
        total = connection.execute(text("SELECT -sum(delta) FROM credit_ledger WHERE delta < 0"))
        return int(total.scalar() or 0)
