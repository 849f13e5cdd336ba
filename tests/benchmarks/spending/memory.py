"""Whether the web server's workers grow with what they have done."""

from config.processes import Problem
from tests.benchmarks.spending import shop
from tests.benchmarks.spending.generators import Load
from tests.benchmarks.spending.report import Round
from tests.benchmarks.spending.stage import Stage

FEW = 100  # of so many spends the first one counts


def measure(stage: Stage, spends: int) -> Round:
    """The memory of all workers after `spends` over that after a hundredth of them."""
    with stage.serving(shop.DATABASE):
        begin = shop.Shop(stage, 1).spends()
        _spend_until(stage, begin + spends // FEW)
        few = stage.worker_bytes()
        load = _spend_until(stage, begin + spends)
        many = stage.worker_bytes()
    if few.keys() != many.keys():
        raise Problem("A worker was replaced meanwhile, so its memory says nothing.")
    stage.check_ledger(shop.DATABASE)
    return Round({"memory": sum(many.values()) / sum(few.values())}, {"memory": load})


def _spend_until(stage: Stage, total: int) -> Load:
    """Spend through the API until there are so many spends; the last load made."""
    load = shop.Shop(stage, 1).single()
    while (left := total - shop.Shop(stage, 1).spends()) > 0:
        load = shop.Shop(stage, min(30, left / load.per_second)).single()
    return load
