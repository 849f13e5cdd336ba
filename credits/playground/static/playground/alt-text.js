/** Image alt text: from what the file's name says, and the colors that cover most of it. */

import { offer } from "./choices.js";
import { dominantNames, draw, load } from "./colors.js";

const TELLS_NOTHING = /^(img|image|dsc\w?|photo|pxl|scan|screenshot|untitled|copy|\d+|of)$/i;
const WORDINGS = [
  (what, [first, second]) => `${what}, mostly ${first} and ${second}`,
  (what) => what,
  (what, [first, second]) => `${what} in ${first} and ${second}`,
  (what, [first]) => `${what}, with much ${first}`,
  (what, [first, second]) => `Picture of ${lower(what)}: ${first}, ${second}`,
  (what, [, second]) => `${what}, set off with ${second}`,
  (what, [first, second, third]) => `${what}; the colors are ${first}, ${second} and ${third}`,
  (what, [first]) => `${what} against ${first}`,
  (what, [, second, third]) => `${what}, touches of ${second} and ${third}`,
  (what, [first, , third]) => `${what}, ${first} with a little ${third}`,
];

/** Start the sample: `spend(quantity)` tells whether the credits were there. */
export default function start(card, spend) {
  const canvas = card.querySelector("canvas");
  const field = card.querySelector("textarea");
  let shown;

  async function show(name, picture) {
    const loaded = await picture;
    const colors = dominantNames(draw(canvas, loaded), 3);
    shown = { what: whatIsIn(name), colors: [...colors, ...colors, ...colors] };
    card.querySelector("[data-file-name]").textContent = name;
    field.value = "";
    offer(card, []);
  }

  const samples = card.querySelectorAll("[data-picture]");
  for (const sample of samples) {
    sample.addEventListener("click", () => {
      for (const other of samples) other.setAttribute("aria-pressed", other === sample);
      show(sample.dataset.picture, load(sample.querySelector("img").src));
    });
  }
  card.querySelector("input[type=file]").addEventListener("change", ({ target }) => {
    for (const file of target.files) {
      show(file.name, createImageBitmap(file)).catch(() => target.setCustomValidity(" "));
    }
  });
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    const quantity = Number(new FormData(event.target).get("quantity"));
    if (!shown || !await spend(quantity)) return;
    const texts = Array.from({ length: quantity }, (_, number) => describe(shown, number));
    field.value = texts[0];
    offer(card, quantity > 1 ? texts : [], (text) => { field.value = text; });
  });
  samples[0].click();
}

/** The number-th wording; from the second round on the colors change places. */
function describe({ what, colors }, number) {
  const round = Math.floor(number / WORDINGS.length) % 3;
  return WORDINGS[number % WORDINGS.length](what, colors.slice(round));
}

/** "red-bicycle-by-the-sea.svg" is "Red bicycle by the sea"; "IMG_2044.jpg" tells nothing. */
function whatIsIn(fileName) {
  const words = fileName.replace(/\.\w+$/, "").split(/[^\p{L}\p{N}]+/u);
  const telling = words.filter((word) => word && !TELLS_NOTHING.test(word)).join(" ");
  return telling ? telling[0].toUpperCase() + telling.slice(1) : "A picture";
}

function lower(text) {
  return text[0].toLowerCase() + text.slice(1);
}
