"""credits.d.ts says what credits.js has: the same names, and the same members of each."""

import re

from django.conf import settings
from shop import MODULE

TYPES = settings.BASE_DIR / "credits" / MODULE.removeprefix("/").replace(".js", ".d.ts")
CLASS = re.compile(r"^export class (\w+) extends (\w+) \{(.*?)\}$", re.MULTILINE | re.DOTALL)
MEMBER = re.compile(r"^  (?:set )?(\w+)(?=[?(:<])", re.MULTILINE)
# What each class has by itself, and an error by its construction.
MEMBERS = """async (path) => {
  const module = await import(path);
  const own = (Kind) => {
    const names = Object.getOwnPropertyNames(Kind.prototype);
    if (!(Kind.prototype instanceof Error)) return names;
    const inherited = Object.keys(new (Object.getPrototypeOf(Kind))({}));
    return [...names, ...Object.keys(new Kind({})).filter((name) => !inherited.includes(name))];
  };
  return Object.fromEntries(Object.entries(module).map(([name, Kind]) =>
    [name, [Object.getPrototypeOf(Kind).name, own(Kind).filter((own) => own !== "constructor")]]));
}"""
# Declared for the types of the events, and had from EventTarget; set where a call fails.
ELSEWHERE = {"constructor", "addEventListener", "removeEventListener", "idempotencyKey"}


def declared() -> dict[str, tuple[str, set[str]]]:
    found = CLASS.findall(TYPES.read_text())
    return {name: (base, set(MEMBER.findall(body)) - ELSEWHERE) for name, base, body in found}


def test_the_types_are_those_of_the_module(page, site):
    page.goto("/accounts/login/")
    members = page.evaluate(MEMBERS, MODULE)
    there = {name: (base, set(own) - {"name"}) for name, (base, own) in members.items()}
    assert there == declared()
