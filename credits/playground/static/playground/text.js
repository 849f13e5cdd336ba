/** Generative rich text: sentences from templates, inside a small editor. */

import { offer } from "./choices.js";

const OPENINGS = [
  ["Meet the ", "."],
  ["Some things are made to be used every day: the ", "."],
  ["Say hello to the ", "."],
  ["Look closely at the ", "."],
  ["Here it is, the ", "."],
];
const MIDDLES = [
  "Made with care, down to the parts nobody sees.",
  "It feels right the first time you pick it up.",
  "It looks quiet and works hard.",
  "Every detail has a reason to be there.",
  "Simple to use, simple to keep clean.",
  "It goes with what you already have.",
];
const ENDINGS = [
  "You will wonder how you did without it.",
  "Keep it for years.",
  "A small thing that makes the day better.",
  "Give it to somebody you like.",
  "It is ready when you are.",
  "Yours to grow old with.",
  "And it makes a fine gift.",
];

/** Start the sample: `spend(quantity)` tells whether the credits were there. */
export default function start(card, spend) {
  const editor = card.querySelector("[data-editor]");
  const topic = card.querySelector("[data-topic]");
  let written = 0;
  toolbar(card, editor);
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    const quantity = Number(new FormData(event.target).get("quantity"));
    if (!await spend(quantity)) return;
    const texts = Array.from({ length: quantity }, () => compose(topic.value.trim(), written++));
    if (quantity === 1) editor.append(paragraph(texts[0]));
    offer(card, quantity > 1 ? texts : [], (text) => editor.append(paragraph(text)));
    editor.scrollTop = editor.scrollHeight;
  });
}

/** The number-th text about a topic: its parts, of which the one in the middle is bold. */
function compose(topic, number) {
  const [before, after] = OPENINGS[number % OPENINGS.length];
  const middle = MIDDLES[number % MIDDLES.length];
  const ending = ENDINGS[number % ENDINGS.length];
  return [before, topic || "thing you sell", `${after} ${middle} ${ending}`];
}

function paragraph([before, topic, after]) {
  const bold = document.createElement("b");
  const made = document.createElement("p");
  bold.append(topic);
  made.append(before, bold, after);
  return made;
}

/** Bold, italic and list, by hand. */
function toolbar(card, editor) {
  const buttons = card.querySelectorAll("[data-command]");
  for (const button of buttons) {
    // The selection in the editor would be lost if the button took the focus.
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", () => {
      editor.focus();
      document.execCommand(button.dataset.command);
    });
  }
  document.addEventListener("selectionchange", () => {
    const isInside = editor.contains(document.getSelection().anchorNode);
    for (const button of buttons) {
      const isOn = isInside && document.queryCommandState(button.dataset.command);
      button.setAttribute("aria-pressed", isOn);
    }
  });
  editor.addEventListener("paste", (event) => {
    event.preventDefault();
    document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
  });
}
