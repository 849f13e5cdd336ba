/** Generative rich text: sentences from templates, inside a small editor. */

import { offer } from "./choices.js";

// Three, four and five of them make sixty texts before one comes again.
const OPENINGS = ["Meet the *.", "Look closely at the *.", "Here it is, the *."];
const MIDDLES = [
  "Made with care, down to the parts nobody sees.",
  "It looks quiet and works hard.",
  "It feels right the first time you pick it up.",
  "It goes with what you already have.",
];
const ENDINGS = [
  "You will wonder how you did without it.",
  "Keep it for years.",
  "A small thing that makes the day better.",
  "It makes a fine gift, too.",
  "Ready when you are.",
];

/** Start the sample: `spend(quantity)` tells whether the credits were there. */
export default function start(card, spend) {
  const editor = card.querySelector("[data-editor]");
  const topic = card.querySelector("[data-topic]");
  let written = 0;
  const take = (text) => {
    editor.append(paragraph(text));
    editor.scrollTop = editor.scrollHeight;
  };
  toolbar(card, editor);
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    const quantity = Number(new FormData(event.target).get("quantity"));
    if (!await spend(quantity)) return;
    const texts = Array.from({ length: quantity }, () => compose(topic.value.trim(), written++));
    if (quantity === 1) take(texts[0]);
    offer(card, quantity > 1 ? texts : [], take);
  });
}

/** The number-th text about a topic: its parts, of which the one in the middle is bold. */
function compose(topic, number) {
  const pick = (sentences) => sentences[number % sentences.length];
  const [before, after] = pick(OPENINGS).split("*");
  return [before, topic || "thing you sell", `${after} ${pick(MIDDLES)} ${pick(ENDINGS)}`];
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
