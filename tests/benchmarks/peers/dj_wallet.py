"""dj-wallet: `WalletService.withdraw`, a locked row and a transaction's row."""

from tests.benchmarks.peers import django_host

django_host.configure("dj_wallet")

from dj_wallet.models import Transaction, Wallet
from dj_wallet.services import WalletService
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Sum

PLENTY = 1_000_000


def set_up(count: int) -> None:
    django_host.migrate()
    users = ContentType.objects.get_for_model(User)
    Wallet.objects.bulk_create(
        [
            Wallet(holder_type=users, holder_id=number, balance=PLENTY)
            for number in range(1, count + 1)
        ],
        batch_size=1_000,
    )


def wallets(count: int) -> list[Wallet]:
    return list(Wallet.objects.order_by("pk")[:count])


def spend(wallet: Wallet, key: str) -> None:
    WalletService.withdraw(wallet, 1, meta={"key": key})


def spent() -> int:
    withdrawn = Transaction.objects.filter(type=Transaction.TYPE_WITHDRAW)
    return int(withdrawn.aggregate(total=Sum("amount"))["total"] or 0)
