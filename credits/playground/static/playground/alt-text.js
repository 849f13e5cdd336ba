/** Image alt text: from what the file's name says, and the colors that cover most of it. */

import { offer } from "./choices.js";
import { draw, load } from "./pictures.js";

const TELLS_NOTHING = /^(img|image|dsc\w?|photo|pxl|scan|screenshot|untitled|copy|\d+|of)$/i;
/** How many colors a wording needs, and the wording. */
const WORDINGS = [
  [2, (what, [first, second]) => `${what}, mostly ${first} and ${second}`],
  [1, (what, [first]) => `${what}, with much ${first}`],
  [2, (what, [first, second]) => `${what}: ${first} next to ${second}`],
  [3, (what, [first, second, third]) => `${what} in ${first}, ${second} and ${third}`],
];

/** Start the sample: `spend(quantity)` tells whether the credits were there. */
export default function start(card, spend) {
  const canvas = card.querySelector("canvas");
  const field = card.querySelector("textarea");
  let shown;

  async function show(name, picture) {
    const loaded = await picture;
    shown = { what: whatIsIn(name), pixels: draw(canvas, loaded) };
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
      show(file.name, createImageBitmap(file)).catch(() => {
        card.querySelector("[data-said]").textContent = target.dataset.unreadable;
      });
    }
  });
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    const quantity = Number(new FormData(event.target).get("quantity"));
    const { dominantNames } = await import("./colors.js");
    if (!shown || !await spend(quantity)) return;
    const colors = dominantNames(shown.pixels, 3);
    const texts = Array.from({ length: quantity }, (_, n) => describe(shown.what, colors, n));
    field.value = texts[0];
    offer(card, quantity > 1 ? texts : [], (text) => { field.value = text; });
  });
  samples[0].click();
}

/** The number-th wording; in each further round the colors change places. */
function describe(what, colors, number) {
  const usable = WORDINGS.filter(([needed]) => needed <= colors.length);
  const first = Math.floor(number / usable.length) % colors.length;
  const [, wording] = usable[number % usable.length];
  return wording(what, [...colors.slice(first), ...colors.slice(0, first)]);
}

/** "red-bicycle-by-the-sea.svg" is "Red bicycle by the sea"; "IMG_2044.jpg" tells nothing. */
function whatIsIn(fileName) {
  const words = fileName.replace(/\.\w+$/, "").split(/[^\p{L}\p{N}]+/u);
  const telling = words.filter((word) => word && !TELLS_NOTHING.test(word)).join(" ");
  return telling ? telling[0].toUpperCase() + telling.slice(1) : "A picture";
}
