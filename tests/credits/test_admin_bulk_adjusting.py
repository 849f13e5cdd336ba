"""Adjusting many organizations from a CSV file: dry run, confirmation, progress, result."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, transaction
from django.utils import timezone

from credits import adjustments, ledger, tasks
from credits.ledger import audit
from credits.models import Adjustment, BulkAdjustment, BulkAdjustmentRow, Entry, Organization
from tests.credits.adjustment_files import (
    COLUMNS,
    UPLOAD,
    confirm,
    csv_file,
    page_of,
    result,
    row,
    send,
    upload,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(db) -> Organization:
    return Organization.objects.create(name="Zeta", weekly_credits=10)


def available(organization: Organization) -> int:
    return ledger.balance(organization, now=timezone.now()).total


def refused(bulk: BulkAdjustment) -> dict[int, dict[str, str]]:
    return {row.line: row.problems for row in bulk.rows.filter(outcome="refused")}


def outcomes(bulk: BulkAdjustment) -> list[str]:
    return list(bulk.rows.values_list("outcome", flat=True))


# --- The dry run ------------------------------------------------------------------------------


def test_the_dry_run_says_what_the_file_would_do_and_changes_nothing(admin, organization, other):
    rows = [row(organization, 100), row(organization, 50, reference="b"), row(other, -4)]
    response = send(admin, csv_file([*rows, row(other, "many", reference="c")]))
    overview = response.context["overview"]
    assert overview.totals == {"giving_rows": 2, "given": 150, "taking_rows": 1, "taken": 4}
    assert (overview.waiting, overview.done_before, overview.refused) == (3, 0, 1)
    assert "Dry run: nothing has changed" in response.text
    assert "Enter a whole number" in response.text
    assert not Entry.objects.exists()
    bulk = BulkAdjustment.objects.get()
    assert (bulk.file_name, bulk.uploaded_by, bulk.row_count) == ("friday.csv", admin.user, 4)
    assert len(bulk.sha256) == 64
    tasks.run_bulk_adjustment(str(bulk.pk))
    assert not Entry.objects.exists()


LATER = "2999-01-31"


@pytest.mark.parametrize(
    ("cells", "column", "told"),
    [
        ({"organization": ""}, "organization", "This field is required"),
        ({"organization": "org_nobody"}, "organization", "There is no organization"),
        ({"credits": ""}, "credits", "This field is required"),
        ({"credits": "ten"}, "credits", "Enter a whole number"),
        ({"credits": "1.5"}, "credits", "Enter a whole number"),
        ({"credits": "0"}, "credits", "0 does nothing"),
        ({"credits": "1000000001"}, "credits", "less than or equal to 1000000000"),
        ({"credits": "-1000000001"}, "credits", "greater than or equal to -1000000000"),
        ({"credits": "9" * 5000}, "credits", "Enter a whole number"),
        ({"credits": "-151"}, "credits", "At most 150 credits can be taken."),
        ({"reason": ""}, "reason", "This field is required"),
        ({"reason": "because"}, "reason", "Write one of goodwill, correction,"),
        ({"reason": "other", "text": ""}, "text", "Say why"),
        ({"text": "x" * 401}, "text", "at most 400 characters"),
        ({"expires_at": "soon"}, "expires_at", "Write it like 2030-01-31"),
        ({"expires_at": "31.01.2030"}, "expires_at", "Write it like 2030-01-31"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at", "Write it like 2030-01-31"),
        ({"expires_at": "2020-01-31"}, "expires_at", "This moment has passed"),
        ({"credits": "-5", "expires_at": LATER}, "expires_at", "Only credits that are given"),
        ({"ticket": "http://tickets.example.com"}, "ticket", "A link begins with https://"),
        ({"ticket": "javascript:alert(1)"}, "ticket", "A link begins with https://"),
        ({"ticket": "x" * 301}, "ticket", "at most 300 characters"),
        ({"reference": ""}, "reference", "This field is required"),
        ({"reference": "x" * 101}, "reference", "at most 100 characters"),
    ],
)
def test_a_wrong_row_is_explained_by_line_and_column(admin, organization, cells, column, told):
    bulk = upload(admin, row(organization, reference="fine"), {**row(organization), **cells})
    ((line, problems),) = refused(bulk).items()
    assert (line, list(problems)) == (3, [column])
    assert told in problems[column]
    page = admin.get(page_of(bulk)).text
    assert problems[column] in page.replace("&#x27;", "'").replace("&quot;", '"')
    told_in_file = result(admin, bulk)[1]
    assert (told_in_file["outcome"], told_in_file["why"]) == (
        "refused",
        f"{column}: {problems[column]}",
    )


def test_everything_that_is_wrong_with_a_row_is_told_at_once(admin, organization):
    wrong = row(Organization(public_id="org_nobody"), "many", reason="x", reference="")
    assert set(refused(upload(admin, wrong))[2]) == {
        "organization",
        "credits",
        "reason",
        "reference",
    }


def test_a_row_with_more_cells_than_columns_is_refused(admin, organization):
    text = csv_file([row(organization)]).rstrip() + b",and,more\r\n"
    assert "more cells than there are columns: and." in str(
        refused(send(admin, text).context["original"])
    )


def test_the_same_reference_twice_in_a_file_is_an_error_that_names_the_first(admin, organization):
    bulk = upload(admin, row(organization), row(organization, reference="b"), row(organization))
    assert refused(bulk) == {4: {"reference": "Line 2 has this organization and reference too."}}


def test_one_reference_serves_many_organizations(admin, organization, other):
    assert refused(upload(admin, row(organization), row(other))) == {}


def test_rows_take_what_the_rows_before_left_and_gave(admin, organization):
    amounts = [-30, -30, 40, -60, -1]
    rows = [row(organization, n, reference=str(i)) for i, n in enumerate(amounts)]
    assert refused(upload(admin, *rows)) == {
        3: {"credits": "At most 20 credits can be taken."},
        6: {"credits": "At most 0 credits can be taken."},
    }


def test_semicolons_a_byte_order_mark_and_empty_rows_are_fine(admin, organization):
    columns = ("reference", "organization", "reason", "credits")
    rows = [{name: row(organization)[name] for name in columns}] * 1
    content = b"\xef\xbb\xbf" + csv_file(rows, columns=columns, separator=";") + b";;;\r\n\r\n"
    bulk = send(admin, content).context["original"]
    assert (bulk.row_count, refused(bulk)) == (1, {})


def test_lines_are_counted_as_an_editor_counts_them(admin, organization):
    bulk = upload(admin, row(organization, text="Sorry\nfor\nFriday"), row(organization, 0))
    assert list(bulk.rows.values_list("line", flat=True)) == [2, 5]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "The submitted file is empty"),
        (b"\n\n", "names the columns"),
        (b"organization,credits\r\n", "reason, reference are missing"),
        (csv_file([], columns=[*COLUMNS, "expire"]), "columns nobody knows: expire"),
        (csv_file([], columns=[*COLUMNS, ""]), "columns nobody knows: one without a name"),
        (csv_file([], columns=[*COLUMNS, "text"]), "named twice"),
        (csv_file([]), "no rows below"),
        (b"\xff\xfeo\x00r\x00g\x00", "not in UTF-8"),
        ("organization,Gründe".encode("latin-1"), "not in UTF-8"),
        (b"PK\x03\x04\x00\x00binary", "zero bytes"),
        (csv_file([]) + b'org_1,"5', "not CSV as programs write it"),
        (csv_file([]) + b'org_1,"5"x,', "not CSV as programs write it"),
        (csv_file([]) + b"x" * 200_000, "not CSV as programs write it"),
        (csv_file([]) + b"x,\r\n" * 10_001, "more than 10,000 rows"),
        (csv_file([]) + b"x" * 2_000_000, "larger than 2 MB"),
    ],
)
def test_a_file_that_is_none_is_explained_and_kept_nowhere(admin, content, told):
    response = send(admin, content)
    assert response.status_code == 200
    assert told in response.text
    assert not BulkAdjustment.objects.exists()


def test_no_file_at_all_is_explained(admin):
    assert "This field is required" in admin.post(UPLOAD, {}).text


def test_the_template_is_a_file_of_the_right_form(admin, organization):
    template = admin.get("/admin/credits/bulkadjustment/template/").text
    bulk = send(
        admin, template.replace("org_0123456789abcdef", organization.public_id).encode()
    ).context["original"]
    assert refused(bulk) == {}
    assert bulk.row_count == 3


# --- Confirming and making --------------------------------------------------------------------


def test_a_confirmed_file_is_made_row_by_row_and_kept_with_all_it_said(
    admin, organization, other, worker
):
    ticket = "https://tickets.example.com/4711"
    bulk = upload(
        admin,
        row(organization, 100, ticket=ticket, expires_at="2999-01-31", reason="Promotion"),
        row(other, -4, reference="b"),
    )
    response = confirm(admin, bulk)
    assert "Finished." in response.text
    assert (available(organization), available(other)) == (150, 6)
    gift = Adjustment.objects.get(organization=organization)
    assert (gift.credits, gift.reason, gift.text, gift.ticket) == (
        100,
        "promotion",
        "Sorry",
        ticket,
    )
    assert f"{gift.expires_at:%Y-%m-%d %H:%M %Z}" == "2999-01-31 00:00 UTC"
    assert (gift.actor, gift.bulk_row.bulk, gift.bulk_row.line) == (admin.user, bulk, 2)
    assert Entry.objects.get(adjustment_id=gift.pk).reason == "Promotion: Sorry"
    assert [(r["outcome"], r["why"], r["balance_after"]) for r in result(admin, bulk)] == [
        ("done", "", "150"),
        ("done", "", "6"),
    ]
    bulk.refresh_from_db()
    assert (bulk.confirmed_by, bulk.done_count, bulk.refused_count) == (admin.user, 2, 0)
    assert [log.get_change_message() for log in LogEntry.objects.all()] == [
        "Confirmed: its adjustments are made."
    ]
    assert list(audit.findings()) == []


def test_the_same_file_again_or_a_longer_one_makes_only_what_is_new(
    admin, organization, other, worker
):
    first = upload(admin, row(organization), row(other, -4))
    confirm(admin, first)
    again = upload(admin, row(organization), row(other, -4))
    page = admin.get(page_of(again)).text
    assert "every row was done before" in page
    assert f'href="{page_of(first)}"' in page
    assert "UTC. What was made then" in page
    assert "UTC UTC" not in page
    confirm(admin, again)
    longer = upload(admin, row(organization), row(other, -4), row(other, -1, reference="b"))
    assert outcomes(longer) == ["before", "before", "waiting"]
    confirm(admin, longer)
    assert (available(organization), available(other)) == (150, 5)
    assert [r["outcome"] for r in result(admin, longer)] == ["done before", "done before", "done"]


def test_a_file_may_come_again_when_its_expiry_is_past(admin, organization, worker, monkeypatch):
    later = row(organization, expires_at="2999-01-31")
    confirm(admin, upload(admin, later))
    now = timezone.now() + timedelta(days=365_000)
    monkeypatch.setattr(timezone, "now", lambda: now)
    bulk = adjustments.upload(
        adjustments.read("friday.csv", csv_file([later])), by=admin.user, now=now
    )
    assert outcomes(bulk) == ["before"]


@pytest.mark.parametrize(
    "changes",
    [{"credits": "101"}, {"text": "Other"}, {"ticket": "1"}, {"expires_at": "2999-01-31"}],
)
def test_a_reference_that_means_something_else_now_is_an_error(
    admin, organization, worker, changes
):
    confirm(admin, upload(admin, row(organization)))
    bulk = upload(admin, {**row(organization), **changes})
    assert "another adjustment with this reference" in refused(bulk)[2]["reference"]
    assert available(organization) == 150


def test_rows_with_errors_block_the_file_until_staff_leave_them_out(
    admin, organization, other, worker
):
    bulk = upload(admin, row(organization), row(other, 0))
    response = confirm(admin, bulk)
    assert "Nothing was adjusted: some rows are wrong." in response.text
    assert not Adjustment.objects.exists()
    confirm(admin, bulk, leave_out="yes")
    assert (available(organization), available(other)) == (150, 10)
    assert [r["outcome"] for r in result(admin, bulk)] == ["done", "refused"]
    bulk.refresh_from_db()
    assert (bulk.done_count, bulk.refused_count) == (1, 1)


def test_a_file_of_errors_alone_has_nothing_to_confirm(admin, organization, worker):
    bulk = upload(admin, row(organization, 0))
    page = admin.get(page_of(bulk)).text
    assert "correct the file and upload it again" in page
    assert 'id="confirm"' not in page


def test_what_can_no_longer_be_made_is_refused_by_itself(admin, organization, other, worker):
    bulk = upload(admin, row(organization, -50), row(other, -4))
    ledger.spend(organization, "alt-text.generate", quantity=20, now=timezone.now())
    confirm(admin, bulk)
    assert (available(organization), available(other)) == (30, 6)
    assert [(r["outcome"], r["why"]) for r in result(admin, bulk)] == [
        ("refused", "credits: At most 30 credits can be taken."),
        ("done", ""),
    ]


def test_what_lapsed_before_it_was_made_is_refused_by_itself(admin, organization):
    soon = timezone.now() + timedelta(hours=1)
    bulk = upload(admin, row(organization, expires_at=soon.isoformat()))
    confirm(admin, bulk)
    adjustments.run(bulk.pk, now=soon + timedelta(hours=1))
    assert "past this moment" in refused(bulk)[2]["expires_at"]
    assert available(organization) == 50


def test_a_confirmation_sent_twice_is_one(admin, organization, worker):
    bulk = upload(admin, row(organization))
    confirm(admin, bulk)
    assert "This was confirmed before." in confirm(admin, bulk).text
    assert available(organization) == 150
    assert LogEntry.objects.count() == 1


def test_opening_the_address_of_the_confirmation_confirms_nothing(admin, organization, worker):
    bulk = upload(admin, row(organization))
    admin.get(f"/admin/credits/bulkadjustment/{bulk.pk}/confirm/")
    assert available(organization) == 50


def test_while_it_runs_the_page_tells_how_far_it_is_and_looks_again(
    admin, organization, monkeypatch
):
    monkeypatch.setattr("credits.adjustments.bulk.ROWS_AT_ONCE", 3)
    bulk = upload(admin, *(row(organization, 1, reference=str(n)) for n in range(4)))
    assert "Refresh" not in admin.get(page_of(bulk)).headers
    confirm(admin, bulk)
    assert adjustments.run(bulk.pk, now=timezone.now())
    page = admin.get(page_of(bulk))
    assert page.headers["Refresh"] == "2"
    assert "Under way: 3 of 4 rows." in page.text
    assert not adjustments.run(bulk.pk, now=timezone.now())
    page = admin.get(page_of(bulk))
    assert "Refresh" not in page.headers
    assert "Finished." in page.text


def test_long_files_are_made_in_chunks_that_queue_each_other(
    admin, organization, worker, monkeypatch
):
    monkeypatch.setattr("credits.adjustments.bulk.ROWS_AT_ONCE", 2)
    bulk = upload(admin, *(row(organization, 1, reference=str(n)) for n in range(7)))
    confirm(admin, bulk)
    assert available(organization) == 57
    bulk.refresh_from_db()
    assert (bulk.done_count, bulk.is_running) == (7, False)


def test_a_run_that_broke_off_is_finished_by_the_sweep(admin, organization, settings, monkeypatch):
    bulk = upload(admin, *(row(organization, 1, reference=str(n)) for n in range(4)))
    confirm(admin, bulk)
    real, calls = ledger.balance, []

    def dies_in_the_third_row(*arguments, **named):
        calls.append(1)
        if len(calls) == 3:
            raise SystemExit
        return real(*arguments, **named)

    monkeypatch.setattr(ledger, "balance", dies_in_the_third_row)
    with pytest.raises(SystemExit):
        tasks.run_bulk_adjustment(str(bulk.pk))
    monkeypatch.setattr(ledger, "balance", real)
    assert outcomes(bulk) == ["done", "done", "waiting", "waiting"]
    assert available(organization) == 52

    settings.CELERY_TASK_ALWAYS_EAGER = True
    tasks.finish_bulk_adjustments()
    assert available(organization) == 52, "somebody may still be at work on it"
    now = timezone.now() + timedelta(minutes=3)
    monkeypatch.setattr(timezone, "now", lambda: now)
    tasks.finish_bulk_adjustments()
    assert available(organization) == 54
    assert outcomes(bulk) == ["done"] * 4
    assert list(audit.findings()) == []


def test_without_a_broker_the_confirmation_is_kept_for_the_sweep(
    admin, organization, settings, monkeypatch, caplog
):
    def broken(*arguments):
        raise ConnectionError("the broker is away")

    bulk = upload(admin, row(organization))
    with monkeypatch.context() as patch:
        patch.setattr(tasks.run_bulk_adjustment, "delay", broken)
        response = confirm(admin, bulk)
    assert response.status_code == 200
    assert "Under way" in response.text
    settings.CELERY_TASK_ALWAYS_EAGER = True
    tasks.finish_bulk_adjustments()
    assert available(organization) == 150


# --- The result file --------------------------------------------------------------------------


FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\uff1d1", "'quoted")


def test_no_spreadsheet_runs_what_a_result_says_and_it_can_be_uploaded_again(
    admin, organization, worker
):
    rows = [
        row(organization, 1, reference=text, text=text, ticket=f"{text} 1") for text in FORMULAS
    ]
    bulk = upload(admin, *rows)
    confirm(admin, bulk)
    assert set(Adjustment.objects.values_list("text", flat=True)) == set(FORMULAS)
    told = result(admin, bulk)
    for line, text in zip(told, FORMULAS, strict=True):
        assert line["text"] == f"'{text}"
        assert line["reference"] == f"'{text}"
        assert line["ticket"].startswith("'")
    again = send(admin, csv_file(told, columns=told[0])).context["original"]
    assert set(outcomes(again)) == {"before"}


def test_credits_that_are_taken_stay_a_number_in_the_result(admin, organization):
    assert result(admin, upload(admin, row(organization, -5)))[0]["credits"] == "-5"


def test_words_in_a_file_are_never_markup_on_its_page(admin, organization):
    bulk = upload(
        admin,
        row(organization, "<b>many", text="<b>bold"),
        row(organization, text="<b>bold", reference="b"),
    )
    assert "<b>" not in admin.get(page_of(bulk)).text


# --- Who may ----------------------------------------------------------------------------------


def test_support_adjusts_from_files_and_finance_only_reads(sign_in, organization, worker):
    support, finance = sign_in("support"), sign_in("finance")
    bulk = upload(support, row(organization))
    assert send(finance, csv_file([row(organization, reference="b")])).status_code == 403
    assert finance.get(UPLOAD).status_code == 403
    assert finance.get("/admin/credits/bulkadjustment/template/").status_code == 403
    assert finance.get(page_of(bulk)).status_code == 200
    assert 'id="confirm"' not in finance.get(page_of(bulk)).text
    assert "Adjust from a CSV file" not in finance.get("/admin/credits/adjustment/").text
    assert confirm(finance, bulk).status_code == 403
    assert available(organization) == 50
    assert len(result(finance, bulk)) == 1
    confirm(support, bulk)
    assert available(organization) == 150
    assert Adjustment.objects.get().actor == support.user


def test_who_confirms_is_who_adjusted(admin, sign_in, organization, worker):
    support = sign_in("support")
    confirm(admin, upload(support, row(organization)))
    assert Adjustment.objects.get().actor == admin.user


def test_who_has_no_part_in_it_sees_no_page_and_no_file(sign_in, admin, organization):
    bulk, nobody = upload(admin, row(organization)), sign_in("nobody")
    pages = (page_of(bulk), UPLOAD, f"/admin/credits/bulkadjustment/{bulk.pk}/result/")
    assert {nobody.get(page).status_code for page in pages} == {403}
    assert confirm(nobody, bulk).status_code == 403


def test_the_button_leads_from_the_adjustments_to_the_upload(admin):
    page = admin.get("/admin/credits/adjustment/")
    assert "Adjust from a CSV file" in page.text
    response = admin.get("/admin/credits/adjustment/adjust_from_file/", follow=True)
    assert response.redirect_chain == [(UPLOAD, 302)]


def test_a_file_that_is_none_has_no_page(admin):
    for missing in ("nonsense", "0190f0f0-0000-7000-8000-000000000000"):
        url = f"/admin/credits/bulkadjustment/{missing}"
        assert admin.get(f"{url}/result/").status_code == 404
        assert admin.post(f"{url}/confirm/").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        lambda: BulkAdjustment.objects.update(file_name="other.csv"),
        lambda: BulkAdjustment.objects.update(finished_at=timezone.now()),
        lambda: BulkAdjustmentRow.objects.update(credits=5),
        lambda: BulkAdjustmentRow.objects.update(cells={}),
        lambda: BulkAdjustmentRow.objects.all().delete(),
        lambda: (
            BulkAdjustmentRow.objects.update(outcome="done"),
            BulkAdjustmentRow.objects.update(outcome="waiting"),
        ),
    ],
)
def test_the_database_keeps_files_and_rows_as_they_are(admin, organization, change):
    upload(admin, row(organization))
    with pytest.raises(DatabaseError), transaction.atomic():
        change()


# --- How often the database is asked ----------------------------------------------------------


def test_a_dry_run_asks_the_database_as_often_for_many_rows_as_for_few(
    admin, django_assert_max_num_queries
):
    many = Organization.objects.bulk_create(Organization(name=f"Company {n}") for n in range(300))
    content = csv_file([row(one, -1 if n % 2 else 1) for n, one in enumerate(many)])
    with django_assert_max_num_queries(28):
        response = send(admin, content)
    assert response.context["overview"].waiting == 300


def test_the_page_and_the_list_ask_as_often_for_many_rows_as_for_few(
    admin, organization, django_assert_max_num_queries
):
    bulk = upload(admin, *(row(organization, n % 2, reference=str(n)) for n in range(100)))
    with django_assert_max_num_queries(16):
        admin.get(page_of(bulk))
    with django_assert_max_num_queries(8):
        admin.get("/admin/credits/bulkadjustment/")
