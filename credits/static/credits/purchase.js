// Asks what became of an undecided purchase, less and less often, until it is decided. While nobody
// looks at the page it does not ask.
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;

const purchase = document.getElementById("purchase");
let wait = FIRST_WAIT_MS;
let timer = 0;

function outcome(within = purchase) {
  return within.querySelector("[data-title]");
}

function schedule() {
  clearTimeout(timer);
  if (outcome().dataset.undecided && !document.hidden) timer = setTimeout(ask, wait);
  wait = Math.min(wait * 1.5, LONGEST_WAIT_MS);
}

async function ask() {
  let response;
  try {
    response = await fetch(purchase.dataset.stateUrl, { headers: { Accept: "text/html" } });
  } catch {
    return schedule();
  }
  // Whoever was signed out, or may not see it any more, finds out by "Check again".
  if (response.redirected || response.status === 404) return;
  if (response.ok) show(await response.text());
  schedule();
}

function show(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const [before, now] = [outcome(), outcome(template.content)];
  if (before.dataset.undecided === now.dataset.undecided) return;
  const hadFocus = purchase.contains(document.activeElement);
  document.title = document.title.replace(before.dataset.title, now.dataset.title);
  purchase.replaceChildren(template.content);
  if (hadFocus) purchase.focus();
  document.getElementById("news").textContent = purchase.querySelector("h1").textContent;
  wait = FIRST_WAIT_MS;
}

document.addEventListener("visibilitychange", () => {
  wait = FIRST_WAIT_MS;
  schedule();
});
schedule();
