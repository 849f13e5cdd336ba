/** A short list of suggestions, each of which can be taken. */

/** Show texts (each a string or its parts) below a card's form; `take` gets the one chosen. */
export function offer(card, texts, take) {
  const list = card.querySelector("[data-choices]");
  list.hidden = texts.length === 0;
  list.replaceChildren(...texts.map((text) => choice(text, take)));
  list.scrollTop = 0;
}

function choice(text, take) {
  const button = document.createElement("button");
  button.type = "button";
  button.append([text].flat().join(""));
  button.addEventListener("click", () => take(text));
  const item = document.createElement("li");
  item.append(button);
  return item;
}
