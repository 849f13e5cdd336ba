"""The ledger in plain Python, in the most obvious way."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from credits import ledger
from tests.credits.support import MONDAY

NEVER = datetime.max.replace(tzinfo=MONDAY.tzinfo)
PRIORITY = {"weekly": 10, "staff": 20, "top_up": 30}


@dataclass
class ModelGrant:
    """What is left follows from what is unused and what a clawback wants, whatever came first."""

    kind: str
    expires_at: datetime
    number: int
    unused: int
    revoke: int = 0
    freeze: int = 0
    collected: int = 0

    @property
    def revoked(self) -> int:
        return min(max(self.revoke - self.collected, 0), self.unused)

    @property
    def frozen(self) -> int:
        to_freeze = self.freeze - max(self.collected - self.revoke, 0)
        return min(to_freeze, self.unused - self.revoked)

    @property
    def remaining(self) -> int:
        return self.unused - self.revoked - self.frozen

    @property
    def shortfall(self) -> int:
        return max(self.revoke - self.collected - self.revoked, 0)

    @property
    def burn_down(self) -> tuple[int, datetime, int]:
        return PRIORITY[self.kind], self.expires_at, self.number


@dataclass
class ModelSpend:
    """What each grant gave, in the order it was drawn, and gets back."""

    parts: list[tuple[ModelGrant, int]]
    hold_expires_at: datetime | None = None
    status: str = "spent"


@dataclass
class Model:
    """Wallet arithmetic in the most obvious way; time is always written down at once."""

    now: datetime
    weekly: int = 50
    week: datetime | None = None
    grants: list[ModelGrant] = field(default_factory=list)
    spends: list[ModelSpend] = field(default_factory=list)
    is_out: bool = False
    left_when_told: int = 0
    told: list[str] = field(default_factory=list)

    def move_to(self, now: datetime) -> None:
        self.now = now
        for spend in self.spends:
            if spend.status == "held" and spend.hold_expires_at <= now:
                self.settle(spend, 0, "expired")
        for grant in self.grants:
            self.lapse(grant)
        week = ledger.week_start(now)
        if week != self.week:
            self.week = week
            self.give("weekly", self.weekly, week + timedelta(days=7))

    def lapse(self, grant: ModelGrant) -> None:
        if grant.expires_at <= self.now:
            grant.unused -= grant.remaining

    def give(self, kind: str, credits: int, expires_at: datetime = NEVER) -> ModelGrant:
        self.grants.append(ModelGrant(kind, expires_at, len(self.grants), credits))
        if credits:
            self.credits_came()
        return self.grants[-1]

    def ran_out(self, *, is_end: bool = False) -> None:
        if not self.is_out or (self.left_when_told and is_end):
            self.is_out = True
            self.left_when_told = self.available()
            self.told.append("out_of_credits")

    def credits_came(self) -> None:
        if self.is_out:
            self.is_out = False
            self.told.append("refilled")

    def used(self) -> None:
        if not self.available():
            self.ran_out(is_end=True)

    def available(self) -> int:
        return sum(grant.remaining for grant in self.grants)

    def draw(self, credits: int) -> list[tuple[ModelGrant, int]]:
        parts = []
        for grant in sorted(self.grants, key=lambda grant: grant.burn_down):
            taken = min(credits, grant.remaining)
            if taken:
                grant.unused -= taken
                credits -= taken
                parts.append((grant, taken))
        return parts

    def send_home(self, grant: ModelGrant, credits: int) -> None:
        grant.unused += credits
        self.lapse(grant)

    def settle(self, spend: ModelSpend, captured: int, status: str) -> None:
        kept = []
        for grant, held in spend.parts:
            taken = min(captured, held)
            captured -= taken
            kept.append((grant, taken))
            self.send_home(grant, held - taken)
        spend.parts, spend.status = kept, status
        if status == "spent":
            self.used()

    def refund(self, spend: ModelSpend, credits: int) -> None:
        parts = []
        for grant, kept in reversed(spend.parts):
            given = min(credits, kept)
            credits -= given
            parts.insert(0, (grant, kept - given))
            self.send_home(grant, given)
        spend.parts = parts

    def first_open(self, kind: str) -> ModelGrant | None:
        """The grant of a kind that is spent next."""
        grants = [grant for grant in self.grants if grant.kind == kind and grant.remaining]
        return min(grants, key=lambda grant: grant.burn_down, default=None)

    def revoke(self, grant: ModelGrant) -> None:
        grant.unused -= grant.remaining

    def claw_back(self, grant: ModelGrant, revoke: int, freeze: int) -> None:
        if too_many := max(grant.collected - revoke - freeze, 0):
            grant.collected -= too_many
            self.give("staff", too_many)
        taken = grant.revoked + grant.frozen
        grant.revoke, grant.freeze = revoke, freeze
        came = grant.revoked + grant.frozen < taken
        self.lapse(grant)
        if came and grant.expires_at > self.now:
            self.credits_came()
