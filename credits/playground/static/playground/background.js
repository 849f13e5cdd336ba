/** Background removal: what has nearly one color becomes transparent, by the distance to it. */

import { colorAt, distance } from "./colors.js";
import { draw, load } from "./pictures.js";

const SOFT_EDGE_LEVELS = 24;
const FITTING_TOLERANCE = 12;

/** Start the sample: `spend(quantity)` tells whether the credits were there. */
export default async function start(card, spend) {
  const canvas = card.querySelector("canvas");
  const color = card.querySelector("input[type=color]");
  const tolerance = card.querySelector("input[type=range]");
  const original = draw(canvas, await load(canvas.dataset.picture));

  /** Without a soft edge, as by hand, pixels are either there or not. */
  function cut(softness = 1) {
    const pixels = cutOut(original, fromHex(color.value), 2.55 * tolerance.value, softness);
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  }

  canvas.addEventListener("click", ({ offsetX, offsetY }) => {
    const scale = canvas.width / canvas.clientWidth;
    const pixel = Math.floor(offsetY * scale) * canvas.width + Math.floor(offsetX * scale);
    color.value = toHex(colorAt(original, pixel));
    cut();
  });
  color.addEventListener("input", () => cut());
  tolerance.addEventListener("input", () => cut());
  card.querySelector("[data-undo]").addEventListener("click", () => {
    canvas.getContext("2d").putImageData(original, 0, 0);
  });
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!await spend(1)) return;
    color.value = toHex(backdropOf(original));
    tolerance.value = FITTING_TOLERANCE;
    cut(SOFT_EDGE_LEVELS);
  });
}

function cutOut(original, backdrop, tolerance, softness) {
  const pixels = new ImageData(original.data.slice(), original.width);
  for (let pixel = 0; pixel < pixels.width * pixels.height; pixel += 1) {
    const beyond = distance(colorAt(pixels, pixel), backdrop) - tolerance;
    pixels.data[4 * pixel + 3] = (255 * beyond) / softness;
  }
  return pixels;
}

/** The median color of the border. */
function backdropOf(pixels) {
  const { width, height } = pixels;
  const border = [];
  for (let x = 0; x < width; x += 1) border.push(x, (height - 1) * width + x);
  for (let y = 0; y < height; y += 1) border.push(y * width, (y + 1) * width - 1);
  const colors = border.map((pixel) => colorAt(pixels, pixel));
  return [0, 1, 2].map((channel) => {
    const levels = colors.map((color) => color[channel]).sort((one, other) => one - other);
    return levels[Math.floor(levels.length / 2)];
  });
}

function toHex(color) {
  return `#${color.map((level) => level.toString(16).padStart(2, "0")).join("")}`;
}

function fromHex(text) {
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}
