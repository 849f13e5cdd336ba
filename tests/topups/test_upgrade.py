"""`manage.py migrate`, as each deployment runs it: on nothing, and on the first release's data."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection

from tests.concurrency.conftest import program

FIRST_RELEASE = {
    "organizations": """
        INSERT INTO credits_organization
            (id, public_id, name, weekly_credits, show_balance, created_at)
        VALUES (1, 'org_a', 'Acme', 50, false, now()), (2, 'org_b', 'Bolt', 50, false, now())
    """,
    "buyer": """
        INSERT INTO credits_user (id, email, password, is_superuser, is_staff, is_active,
            date_joined, first_name, last_name)
        VALUES (1, 'a@example.com', '!', false, false, true, now(), '', '')
    """,
    # Staff sell in euros, and call a group by another name.
    "staff's changes": """
        UPDATE topups_plan SET currency = 'eur';
        UPDATE auth_group SET name = 'helpers' WHERE name = 'support'
    """,
    "purchases": """
        INSERT INTO topups_purchase (organization_id, buyer_id, plan_id, credits, amount_minor,
            currency, status, stripe_session_id, stripe_payment_intent_id, created_at, paid_at,
            next_check_at)
        SELECT 1, 1, id, credits, amount_minor, 'eur', status, session, payment, now() - age,
            CASE status WHEN 'paid' THEN now() END, CASE status WHEN 'pending' THEN now() END
        FROM (
            VALUES ('pending', 'cs_older', '', interval '1 hour'), ('pending', 'cs_1', '', '0'),
                ('pending', 'cs_2', '', '0'), ('pending', NULL, '', '2 hours'),
                ('expired', 'cs_gone', '', '1 day'), ('paid', 'cs_paid', 'pi_1', '2 days')
        ) AS old (status, session, payment, age),
        (SELECT * FROM topups_plan WHERE credits = 500) plan
    """,
}

# As the release before made them; their bodies do not matter here.
OLD_FUNCTIONS = {
    "ledger_give_back": "p_spend uuid, p_credits bigint, p_now timestamptz",
    "ledger_settle_hold": "p_spend uuid, p_captured bigint, p_status text, p_now timestamptz",
}


@pytest.fixture
def empty(committed_db) -> Iterator[str]:
    """The name of an empty database beside the test's own."""
    name = f"{connection.settings_dict['NAME']}_upgrade"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name}")
        yield name
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def migrate(empty) -> Callable[..., None]:
    def migrate(*arguments: str) -> None:
        parts = {key: quote(str(value)) for key, value in connection.settings_dict.items() if value}
        url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/".format(**parts) + empty
        command = ("manage.py", "migrate", "--verbosity=0", *arguments)
        with program(*command, DATABASE_URL=url) as process:
            assert process.wait() == 0

    return migrate


@pytest.fixture
def query(empty) -> Callable[[str], list[tuple[Any, ...]]]:
    def query(sql: str) -> list[tuple[Any, ...]]:
        options = connection.settings_dict
        with psycopg.connect(
            dbname=empty,
            host=options["HOST"],
            port=options["PORT"] or None,
            user=options["USER"],
            password=options["PASSWORD"] or None,
        ) as database:
            cursor = database.execute(sql)
            return cursor.fetchall() if cursor.description else []

    return query


def test_an_empty_database_is_set_up(migrate, query):
    migrate()
    assert query("SELECT count(*) FROM topups_price") == [(3,)]


def test_the_release_before_spends_between_any_two_steps(migrate, query):
    """It goes on serving while its database is upgraded."""
    migrate("credits", "0009")
    query(FIRST_RELEASE["organizations"])
    (spend,) = query("SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'ledger_spend'")
    query(f"DROP FUNCTION {spend[0]}")
    # What was there to spend with; its body does not matter here.
    query("""
        CREATE FUNCTION ledger_spend(
            p_organization bigint, p_api_key bigint, p_action text, p_quantity integer,
            p_reference text, p_idempotency_key text, p_hold_seconds integer, p_now timestamptz,
            OUT outcome text
        ) LANGUAGE sql RETURN 'created'
    """)
    for step in ("0010", "0011", "0012", "0013"):
        migrate("credits", step)
        assert query("""
            SELECT outcome FROM ledger_spend(
                p_organization => 1, p_api_key => NULL, p_action => 'alt-text.generate',
                p_quantity => 1, p_reference => '', p_idempotency_key => NULL,
                p_hold_seconds => NULL, p_now => now()
            )
        """) == [("created",)]


def test_the_release_before_gives_back_and_settles_holds_between_any_two_steps(migrate, query):
    """Its calls name the parameters it knows; one function each must answer them all the time."""
    migrate("credits", "0005")
    query(FIRST_RELEASE["organizations"])
    for function, parameters in OLD_FUNCTIONS.items():
        ((new,),) = query(
            f"SELECT oid::regprocedure::text FROM pg_proc WHERE proname = '{function}'"
        )
        query(f"DROP FUNCTION {new}")
        query(f"CREATE FUNCTION {function}({parameters}) RETURNS void LANGUAGE sql AS ''")
    settle = "ledger_settle_hold(p_spend => gen_random_uuid(), p_captured => 0, "
    for step in ("0006", "0010", "0013", "0017"):
        migrate("credits", step)
        query(f"SELECT {settle} p_status => 'released', p_now => now())")
        query("SELECT ledger_settle_hold(gen_random_uuid(), 0, 'expired', now())")
        query(
            "SELECT ledger_give_back(p_spend => gen_random_uuid(), p_credits => 0, p_now => now())"
        )
    assert query("""
        SELECT column_name FROM information_schema.columns WHERE table_name = 'credits_refund'
            AND column_name IN ('actor_id', 'reason')
            AND (is_nullable = 'YES' OR column_default IS NOT NULL)
        ORDER BY 1
    """) == [("actor_id",), ("reason",)]


def test_the_first_release_is_upgraded(migrate, query):
    migrate("topups", "0004")
    for insert in FIRST_RELEASE.values():
        query(insert)
    migrate()
    assert query("SELECT currency, amount_minor FROM topups_price ORDER BY 2") == [
        ("eur", 10_00),
        ("eur", 36_00),
        ("eur", 150_00),
    ]
    assert query("SELECT organization_id, currency FROM topups_billingaccount") == [(1, "eur")]
    purchases = "SELECT status, paid_minor FROM topups_purchase WHERE stripe_session_id "
    assert query(f"{purchases} = 'cs_paid'") == [("paid", 10_00)]
    assert query(f"{purchases} = 'cs_gone'") == [("expired", None)]
    # Of four open checkouts of one offer the newest is still one.
    assert query(f"{purchases} IN ('cs_1', 'cs_2') ORDER BY 1") == [
        ("expired", None),
        ("pending", None),
    ]
    assert query("SELECT count(*) FROM topups_purchase WHERE status = 'pending'") == [(1,)]


def test_money_that_went_back_before_there_were_lines_for_it_gets_its_lines(migrate, query):
    migrate("topups", "0009")
    query(FIRST_RELEASE["organizations"])
    query(FIRST_RELEASE["buyer"])
    query("""
        INSERT INTO topups_purchase (organization_id, buyer_id, plan_id, credits, amount_minor,
            currency, status, stripe_session_id, stripe_payment_intent_id, created_at, paid_at,
            paid_minor, tax_minor, discount_minor, failed_checks, check_error)
        SELECT 1, 1, id, credits, 1000, 'eur', 'paid', 'cs_1', 'pi_1', now(), now(), 1190, 190, 0,
            0, ''
        FROM topups_plan WHERE credits = 500
    """)
    query("""
        INSERT INTO topups_paymentrefund (purchase_id, stripe_refund_id, amount_minor, status,
            reason, error, attempts, created_at, as_of)
        SELECT p.id, 're_' || told.status, amount, told.status, '', '', 0, at::timestamptz, now()
        FROM topups_purchase p, (VALUES
            (595, 'succeeded', '2026-10-31 23:59:59Z'), (100, 'failed', '2026-10-01 00:00Z'),
            (7, 'pending', '2026-11-02 00:00Z')
        ) told (amount, status, at)
    """)
    query("""
        INSERT INTO topups_dispute (stripe_dispute_id, purchase_id, amount_minor, status,
            is_withdrawn, reason, created_at, as_of)
        SELECT 'dp_' || told.status, id, 588, told.status, withdrawn, '', now(), '2026-11-05 00:00Z'
        FROM topups_purchase, (VALUES ('lost', true), ('prevented', false)) told (status, withdrawn)
    """)
    migrate()
    assert query("""
        SELECT amount_minor, tax_minor, currency,
            to_char(posted_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI')
        FROM topups_moneyback ORDER BY posted_at
    """) == [
        (595, 95, "eur", "10-31 23:59"),
        (7, 1, "eur", "11-02 00:00"),
        (588, 94, "eur", "11-05 00:00"),
    ]
