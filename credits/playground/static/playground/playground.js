/** The playground: gives each sample extension a way to spend, and tells the story along the way. */

import { Credits, CreditsError, OutOfCredits, Unauthorized } from "../credits-js/1.0.0/credits.js";
import { watch } from "./log.js";

const page = document.querySelector("[data-playground]");
const plural = new Intl.PluralRules(document.documentElement.lang);
const counted = (credits) =>
  page.dataset[plural.select(credits) === "one" ? "creditsOne" : "creditsOther"]
    .replace("{count}", credits.toLocaleString(document.documentElement.lang));

/** A new browser token; an extension would ask its own server, which has the secret key. */
async function token() {
  const form = page.querySelector("[data-ask-token]");
  const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

// Until its card is opened, a notice speaks for nobody.
for (const notice of page.querySelectorAll("credits-notice")) notice.credits = new EventTarget();

/** What a sample calls before it does its work: true once the credits are spent. */
function seller(card) {
  const credits = new Credits({ token });
  const button = card.querySelector("[type=submit]");
  const said = card.querySelector("[data-said]");
  card.querySelector("credits-notice").credits = credits;
  credits.addEventListener("outofcredits", () => tell("out"));
  credits.addEventListener("refilled", () => {
    said.textContent = "";
    tell("refilled");
  });
  return async (quantity) => {
    button.disabled = true;
    said.textContent = "";
    try {
      const made = await credits.spend(card.dataset.action, { quantity, reference: "playground" });
      said.textContent = page.dataset.spent.replace("{credits}", counted(made.credits));
      showBalance(made.balance);
      tell("spent");
      return true;
    } catch (error) {
      if (!(error instanceof CreditsError)) throw error;
      said.textContent = error instanceof OutOfCredits ? page.dataset.byHand : reasonOf(error);
      return false;
    } finally {
      button.disabled = false;
    }
  };
}

/** Where there was no token, the playground's own server said why. */
function reasonOf(error) {
  return (error instanceof Unauthorized && error.cause?.message) || error.message;
}

/** Only where the organization may see it, the answer of a spend has a balance. */
function showBalance(balance) {
  const left = page.querySelector("[data-left]");
  left.hidden = balance === undefined;
  if (balance !== undefined) left.textContent = left.dataset.text.replace("{credits}", counted(balance));
}

/** The price of each action on sale; null where none are told, and then the page says why. */
async function askForPrices() {
  try {
    const actions = await new Credits({ token }).actions();
    return new Map(actions.map(({ code, credits }) => [code, credits]));
  } catch (error) {
    const notice = page.querySelector("[data-closed]");
    notice.textContent = reasonOf(error);
    notice.hidden = false;
    return null;
  }
}

/** Start a sample, and let it spend once it is known what that costs. */
async function open(card) {
  const sample = await import(`./${card.dataset.sample}.js`);
  await sample.default(card, seller(card));
  const known = await prices;
  if (known) showCost(card, known.get(card.dataset.action));
}

function showCost(card, price) {
  const form = card.querySelector("form");
  const cost = card.querySelector("[data-cost]");
  const update = () => {
    const quantity = Number(new FormData(form).get("quantity") ?? 1);
    cost.textContent = price ? counted(price * quantity) : page.dataset.notSold;
  };
  card.querySelector("[type=submit]").disabled = !price;
  form.addEventListener("change", update);
  update();
}

/** Which step of the story comes after what has happened; it never goes back but to run out. */
function tell(happened) {
  const steps = [...page.querySelectorAll("[data-step]")];
  const now = steps.findIndex((step) => step.getAttribute("aria-current"));
  const next = { spent: now === 0 ? 1 : now === 3 ? 4 : now, out: 2, refilled: 3 }[happened];
  if (now === -1 && happened === "spent") return;
  steps.forEach((step, index) => {
    step.classList.toggle("done", index < next);
    if (index === next) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
  page.querySelector("[data-told]").hidden = next < steps.length;
}

watch(page.querySelector("[data-calls]"), page.querySelector("[data-call]"));
const prices = askForPrices();
// The script of a sample comes when its card comes into view.
const views = new IntersectionObserver((seen) => {
  for (const { target: card } of seen.filter(({ isIntersecting }) => isIntersecting)) {
    views.unobserve(card);
    open(card);
  }
});
for (const card of page.querySelectorAll("[data-sample]")) views.observe(card);
