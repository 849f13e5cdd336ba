/** Shoppable images: boxes around products, drawn by hand or proposed from regions of color. */

import { draw, load } from "./pictures.js";
import { findRegions } from "./regions.js";

const LEAST_SIZE = 0.04;
const STEP = 0.02;
const KEYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

/** Start the sample: `spend(quantity)` tells whether the credits were there. */
export default async function start(card, spend) {
  const stage = card.querySelector("[data-stage]");
  const list = card.querySelector("[data-boxes]");
  const canvas = card.querySelector("canvas");
  const pixels = draw(canvas, await load(canvas.dataset.picture));
  const boxes = new Set();

  function add(place, name = "") {
    const box = new Box(stage, card.querySelector("[data-box]"), place, name, remove);
    boxes.add(box);
    list.append(box.row);
    renumber();
    return box;
  }

  function remove(box) {
    boxes.delete(box);
    box.frame.remove();
    box.row.remove();
    renumber();
  }

  function renumber() {
    [...boxes].forEach((box, index) => box.number(index + 1));
  }

  drawByHand(stage, canvas, add, remove);
  card.querySelector("[data-add]").addEventListener("click", () => {
    add({ left: 0.35, top: 0.35, width: 0.3, height: 0.3 }).frame.focus();
  });
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!await spend(1)) return;
    [...boxes].filter((box) => box.isProposed).forEach(remove);
    for (const { color, ...place } of findRegions(pixels)) {
      const name = stage.dataset.proposal.replace("{color}", color);
      add(place, name[0].toUpperCase() + name.slice(1)).isProposed = true;
    }
  });
}

/** One box: a frame on the picture, and a row of the list with its name. */
class Box {
  constructor(stage, template, place, name, remove) {
    const parts = template.content.cloneNode(true);
    this.frame = parts.querySelector("[data-frame]");
    this.row = parts.querySelector("[data-row]");
    this.row.querySelector("input").value = name;
    this.row.querySelector("button").addEventListener("click", () => remove(this));
    this.row.addEventListener("input", () => { this.isProposed = false; });
    this.stage = stage;
    this.put(place);
    stage.append(this.frame);
    this.frame.addEventListener("keydown", (event) => this.#onKey(event, remove));
    this.frame.addEventListener("pointerdown", (event) => this.#onPointer(event));
  }

  /** Put it at a place in parts of the picture, kept inside it. */
  put({ left, top, width, height }) {
    const within = (value, least, most) => Math.min(Math.max(value, least), most);
    width = within(width, LEAST_SIZE, 1);
    height = within(height, LEAST_SIZE, 1);
    this.place = { left: within(left, 0, 1 - width), top: within(top, 0, 1 - height), width, height };
    for (const [side, part] of Object.entries(this.place)) this.frame.style[side] = `${100 * part}%`;
  }

  number(number) {
    this.frame.querySelector("[data-number]").textContent = number;
    this.row.querySelector("[data-number]").textContent = number;
    const label = this.row.querySelector("input");
    label.setAttribute("aria-label", label.dataset.label.replace("{number}", number));
    const button = this.row.querySelector("button");
    button.setAttribute("aria-label", button.dataset.label.replace("{number}", number));
    this.frame.setAttribute("aria-label", this.frame.dataset.label.replace("{number}", number));
  }

  #change([x, y], isResize) {
    const { left, top, width, height } = this.place;
    this.isProposed = false;
    this.put(isResize
      ? { left, top, width: Math.min(width + x, 1 - left), height: Math.min(height + y, 1 - top) }
      : { left: left + x, top: top + y, width, height });
  }

  #onKey(event, remove) {
    if (event.key in KEYS) this.#change(KEYS[event.key], event.shiftKey);
    else if (event.key === "Delete" || event.key === "Backspace") remove(this);
    else return;
    event.preventDefault();
  }

  #onPointer(event) {
    const isResize = "corner" in event.target.dataset;
    const size = this.stage.getBoundingClientRect();
    let [x, y] = [event.clientX, event.clientY];
    event.stopPropagation();
    this.frame.setPointerCapture(event.pointerId);
    this.frame.onpointermove = (moved) => {
      this.#change([(moved.clientX - x) / size.width, (moved.clientY - y) / size.height], isResize);
      [x, y] = [moved.clientX, moved.clientY];
    };
    this.frame.onlostpointercapture = () => { this.frame.onpointermove = null; };
  }
}

/** Drag over the picture to draw a box. */
function drawByHand(stage, canvas, add, remove) {
  canvas.addEventListener("pointerdown", (event) => {
    const size = canvas.getBoundingClientRect();
    const at = ({ clientX, clientY }) =>
      [(clientX - size.left) / size.width, (clientY - size.top) / size.height];
    const [startX, startY] = at(event);
    let box;
    canvas.setPointerCapture(event.pointerId);
    canvas.onpointermove = (moved) => {
      const [x, y] = at(moved).map((part) => Math.min(Math.max(part, 0), 1));
      const [width, height] = [Math.abs(x - startX), Math.abs(y - startY)];
      if (!box && Math.max(width, height) < LEAST_SIZE) return;
      box ??= add({ left: startX, top: startY, width, height });
      box.put({ left: Math.min(x, startX), top: Math.min(y, startY), width, height });
    };
    canvas.onlostpointercapture = () => { canvas.onpointermove = null; };
    // The finger turned out to scroll the page.
    canvas.onpointercancel = () => { if (box) remove(box); };
  });
}
