"""django-hordak: `Account.transfer_to`, from the customer's account to one of what was used."""

from tests.benchmarks.peers import django_host

django_host.configure(
    "mptt", "djmoney", "hordak", HORDAK_CURRENCIES=["EUR"], HORDAK_DECIMAL_PLACES=2
)

from hordak.models import Account, AccountType, Transaction
from moneyed import Money

ONE = Money(1, "EUR")


def set_up(count: int) -> None:
    """Two root accounts for each customer; written at once, since a tree of one needs no order."""
    django_host.migrate()
    Account.objects.bulk_create(
        [_account(2 * number, AccountType.liability) for number in range(count)]
        + [_account(2 * number + 1, AccountType.income) for number in range(count)],
        batch_size=1_000,
    )


def _account(number: int, kind: AccountType) -> Account:
    tree = {"lft": 1, "rght": 2, "level": 0, "tree_id": number + 1}
    return Account(name=f"Account {number}", type=kind, currencies=["EUR"], **tree)


def wallets(count: int) -> list[tuple[Account, Account]]:
    by_tree = {account.tree_id: account for account in Account.objects.all()}
    return [(by_tree[2 * number + 1], by_tree[2 * number + 2]) for number in range(count)]


def spend(accounts: tuple[Account, Account], key: str) -> None:
    customer, used = accounts
    customer.transfer_to(used, ONE, description=key)


def spent() -> int:
    return Transaction.objects.count()
