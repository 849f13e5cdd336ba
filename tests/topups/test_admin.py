"""Plans, billing accounts and purchases in the admin."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.utils import timezone
from sold import dispute, give_back, sell

from credits.models import Grant, Organization
from tests.credits.support import query_count
from topups.models import BillingAccount, Dispute, PaymentRefund, Plan, Purchase, StripeEvent

pytestmark = pytest.mark.django_db

LIST = "/admin/topups/purchase/"
ROLES = ("support", "finance", "administrators")


@pytest.fixture
def purchase(db) -> Purchase:
    return sell()


def page_of(purchase: Purchase) -> str:
    return f"{LIST}{purchase.pk}/change/"


def plan_form(plan: Plan | None = None, **changes):
    """The form of a plan with one price, the first it has."""
    form = {
        "name": "Odd",
        "credits": "5",
        "position": "1",
        "is_active": "on",
        "prices-TOTAL_FORMS": "1",
        "prices-INITIAL_FORMS": "0",
        "prices-0-currency": "usd",
        "prices-0-amount_minor": "5900",
    }
    if plan:
        price = plan.prices.get()
        form |= {
            "prices-INITIAL_FORMS": "1",
            "prices-0-id": str(price.pk),
            "prices-0-plan": str(plan.pk),
        }
    return {**form, **changes}


# --- Plans ------------------------------------------------------------------------------------


def test_a_changed_plan_leaves_its_purchases_alone(admin, purchase):
    plan, before = purchase.plan, Purchase.objects.values().get()
    page = admin.get(f"/admin/topups/plan/{plan.pk}/change/")
    assert "What was bought before keeps its credits and its price" in page.text
    admin.post(f"/admin/topups/plan/{plan.pk}/change/", plan_form(plan, credits="700"))
    plan.refresh_from_db()
    assert (plan.credits, plan.prices.get().amount_minor) == (700, 5900)
    assert Purchase.objects.values().get() == before


def test_a_plan_has_a_price_in_each_currency(admin):
    two = {
        "prices-TOTAL_FORMS": "2",
        "prices-1-currency": "jpy",
        "prices-1-amount_minor": "900",
    }
    admin.post("/admin/topups/plan/add/", plan_form(**two))
    assert "900 JPY, $59.00" in admin.get("/admin/topups/plan/").text
    twice = admin.post(
        "/admin/topups/plan/add/", plan_form(name="Twice", **two | {"prices-1-currency": "usd"})
    )
    assert "Please correct the duplicate data for currency" in twice.text
    assert not Plan.objects.filter(name="Twice").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prices-0-amount_minor": "0"}, "greater than or equal to 50"),
        ({"prices-0-amount_minor": "100000000"}, "less than or equal to 99999999"),
        ({"prices-0-amount_minor": "1000.00"}, "Write minor units"),
        ({"prices-0-amount_minor": "1,000"}, "Write minor units"),
        ({"prices-0-currency": "US"}, "Select a valid choice"),
        ({"prices-0-currency": "zzz"}, "Select a valid choice"),
        ({"credits": "0"}, "greater than or equal to 1"),
        ({"credits": "x"}, "Enter a whole number"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_reason(admin, changes, told):
    response = admin.post("/admin/topups/plan/add/", plan_form(**changes))
    (errors,) = response.context["errors"]
    assert told in str(errors)
    assert not Plan.objects.filter(name="Odd").exists()


def test_a_plan_goes_only_while_nobody_bought_it(admin, purchase):
    unsold = Plan.objects.exclude(pk=purchase.plan_id).first()
    admin.post(f"/admin/topups/plan/{unsold.pk}/delete/", {"post": "yes"})
    sold = admin.post(f"/admin/topups/plan/{purchase.plan_id}/delete/", {"post": "yes"})
    assert sold.status_code == 403
    assert not Plan.objects.filter(pk=unsold.pk).exists()
    assert Plan.objects.filter(pk=purchase.plan_id).exists()


# --- Billing accounts -------------------------------------------------------------------------


def test_staff_choose_the_currency_and_nothing_else_of_an_account(sign_in, purchase):
    finance, organization = sign_in("finance"), purchase.organization
    url = "/admin/topups/billingaccount/"
    finance.post(f"{url}add/", {"organization": organization.pk, "currency": "eur"})
    assert BillingAccount.objects.get().currency == "eur"
    BillingAccount.objects.update(stripe_customer_id="cus_1", email="a@example.com")

    other = Organization.objects.create(name="Other")
    form = {"currency": "gbp", "organization": other.pk, "stripe_customer_id": "cus_2"}
    finance.post(f"{url}{organization.pk}/change/", form)
    account = BillingAccount.objects.get()
    assert (account.organization, account.currency) == (organization, "gbp")
    assert (account.stripe_customer_id, account.email) == ("cus_1", "a@example.com")
    assert finance.post(f"{url}{account.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_currency_in_which_nothing_is_sold_is_told(admin, purchase):
    form = {"organization": purchase.organization_id, "currency": "jpy"}
    response = admin.post("/admin/topups/billingaccount/add/", form, follow=True)
    assert "No plan has a price in JPY yet: Acme finds none to buy." in response.text


@pytest.mark.parametrize("currency", ["", "US", "kwd", "EUR"])
def test_a_currency_nobody_sells_in_is_refused(admin, purchase, currency):
    form = {"organization": purchase.organization_id, "currency": currency}
    assert admin.post("/admin/topups/billingaccount/add/", form).status_code == 200
    assert not BillingAccount.objects.exists()


def test_an_account_is_found_and_is_one_per_organization(admin, purchase):
    BillingAccount.objects.create(organization=purchase.organization, stripe_customer_id="cus_1")
    for query in ("acm", purchase.organization.public_id, "cus_1"):
        found = admin.get("/admin/topups/billingaccount/", {"q": query})
        assert found.context["cl"].result_count == 1
    form = {"organization": purchase.organization_id, "currency": "eur"}
    second = admin.post("/admin/topups/billingaccount/add/", form)
    assert "already exists" in second.text


def test_a_purchase_leads_to_the_billing_account(admin, purchase):
    add_url = f"/admin/topups/billingaccount/add/?organization={purchase.organization_id}"
    assert add_url in admin.get(page_of(purchase)).text
    BillingAccount.objects.create(organization=purchase.organization)
    assert (
        f"/admin/topups/billingaccount/{purchase.organization_id}/change/"
        in admin.get(page_of(purchase)).text
    )


# --- The list of purchases --------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["Acme", "cs_test_{hex}", "pi_{hex}", "{id}", "buyer@example.com"]
)
def test_a_purchase_is_found_by_organization_buyer_and_ids(admin, purchase, query):
    sell(Organization.objects.create(name="Zenith"))
    text = query.format(id=purchase.pk, hex=purchase.pk.hex)
    found = admin.get(LIST, {"q": text}).context["cl"].result_list
    assert purchase in found
    assert len(found) == (2 if query.startswith("buyer") else 1)


def test_the_list_tells_what_was_paid_what_went_back_and_what_is_short(admin):
    short = sell(used=450)
    give_back(short, 4_00)
    disputed = sell(short.organization)
    dispute(disputed, 3_00)
    page = admin.get(LIST).text
    for told in ("$10.00", "Refunded $4.00", "Disputed $3.00", ">150<"):
        assert told in page.replace("\n", "").replace("  ", "")
    assert filtered(admin, shortfall="yes") == [short]
    assert filtered(admin, money_back="refunded") == [short]
    assert filtered(admin, money_back="disputed") == [disputed]
    assert filtered(admin, money_back="lost") == []
    assert filtered(admin, money_back="nonsense") == [disputed, short]


def filtered(admin, **filters) -> list[Purchase]:
    return list(admin.get(LIST, filters).context["cl"].result_list)


def test_a_lost_dispute_is_found(admin, purchase):
    dispute(purchase, 10_00, "lost")
    assert filtered(admin, money_back="lost") == [purchase]
    assert "Lost $10.00" in admin.get(LIST).text


def test_lists_ask_the_database_as_often_for_twenty_rows_as_for_one(admin, purchase):
    lists = ("purchase", "paymentrefund", "dispute", "stripeevent")
    rows(purchase)
    before = [query_count(admin, f"/admin/topups/{name}/") for name in lists]
    for number in range(19):
        rows(sell(Organization.objects.create(name=f"Company {number}", weekly_credits=0)))
    assert [query_count(admin, f"/admin/topups/{name}/") for name in lists] == before


def rows(purchase: Purchase) -> None:
    give_back(purchase, 4_00)
    dispute(purchase, 3_00)
    StripeEvent.objects.create(
        event_id=f"evt_{purchase.pk}",
        type="refund.created",
        payload={},
        status="processed",
        received_at=timezone.now(),
    )


# --- One purchase -----------------------------------------------------------------------------


def test_a_purchase_tells_everything_about_its_money_and_its_credits(admin):
    purchase = sell(used=450, paid_minor=9_00)
    give_back(purchase, 3_60)
    dispute(purchase, 90)
    LogEntry.objects.log_actions(
        admin.user.pk, [purchase], 2, "Asked by phone.", single_object=True
    )
    page = admin.get(page_of(purchase)).text
    grant = Grant.objects.get(purchase_id=purchase.pk)
    refund, opened = PaymentRefund.objects.get(), Dispute.objects.get()
    for told in (
        "$10.00",  # price
        "$1.00",  # discount
        "$9.00",  # paid
        "$4.50",  # can be refunded
        "$3.60",
        "$0.90",
        refund.stripe_refund_id,
        opened.pk,
        purchase.stripe_session_id,
        purchase.stripe_payment_intent_id,
        f"/admin/credits/grant/{grant.pk}/change/",
        f"/admin/credits/organization/{purchase.organization_id}/change/",
        f"/admin/topups/paymentrefund/{refund.pk}/change/",
        "Acme no longer had 150 credits when the money went back",
        "Asked by phone.",
        "fraudulent",
    ):
        assert told in page


def test_a_failing_check_is_told(admin, purchase):
    Purchase.objects.bulk_create(
        [
            Purchase(
                organization=purchase.organization,
                buyer=admin.user,
                plan=purchase.plan,
                credits=5,
                amount_minor=50,
                currency="usd",
                created_at=timezone.now(),
                next_check_at=timezone.now(),
                failed_checks=3,
                check_error="WrongAmount: 3 is not 4.",
            )
        ]
    )
    page = admin.get(page_of(Purchase.objects.get(failed_checks=3))).text
    assert "Checking with Stripe failed 3 times: WrongAmount: 3 is not 4." in page


def test_the_page_of_no_purchase_leads_back_with_a_message(admin):
    for key in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        assert admin.get(f"{LIST}{key}/change/").status_code == 302
        for page in ("refund", "collect", "check_now"):
            assert admin.get(f"{LIST}{key}/{page}/").status_code == 404


# --- Nobody writes here -----------------------------------------------------------------------


@pytest.mark.parametrize("role", [*ROLES, "superuser"])
@pytest.mark.parametrize("model", [Purchase, PaymentRefund, Dispute, StripeEvent])
def test_all_of_staff_read_it_and_change_nothing(sign_in, purchase, role, model):
    client = sign_in(role, is_superuser=role == "superuser")
    rows(purchase)
    url = f"/admin/topups/{model._meta.model_name}/"
    before = list(model.objects.values())
    row = model.objects.get()
    change_url = f"{url}{quote(row.pk)}/change/"
    assert client.get(url).status_code == 200
    assert client.get(change_url).status_code == 200
    forbidden = [
        client.get(f"{url}add/"),
        client.post(f"{url}add/", {}),
        client.post(change_url, {"status": "pending", "credits": "1"}),
        client.post(f"{url}{quote(row.pk)}/delete/", {"post": "yes"}),
    ]
    assert {response.status_code for response in forbidden} == {403}
    client.post(url, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert list(model.objects.values()) == before


def test_staff_without_a_group_see_nothing(sign_in, purchase):
    nobody = sign_in("nobody")
    pages = ("", f"{purchase.pk}/change/", f"{purchase.pk}/refund/", f"{purchase.pk}/collect/")
    assert {nobody.get(f"{LIST}{page}").status_code for page in pages} == {403}
    assert nobody.post(f"{LIST}{purchase.pk}/check_now/").status_code == 403


def test_odd_rows_and_prefilled_values_are_no_errors(admin):
    for odd in ("zzz", "%00", "9" * 40):
        page = admin.get(f"/admin/topups/billingaccount/add/?organization={odd}&nothing=1")
        assert page.status_code == 200
    retry = {"action": "retry_selected", "_selected_action": "x"}
    assert admin.post("/admin/topups/stripeevent/", retry).status_code == 400


@pytest.mark.parametrize("model", ["dispute", "paymentrefund", "purchase", "stripeevent"])
def test_an_odd_id_is_not_there(admin, model):
    for odd in ("%00", "x", "9" * 40, "%F0%9F%92%B8"):
        assert admin.get(f"/admin/topups/{model}/{odd}/change/").status_code in (302, 404)
