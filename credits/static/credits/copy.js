// A button with data-copy="id" copies the text of the element with that id, and then says what is
// in data-copied. It is hidden until here.
// Who reloads a page with a new secret must not make another one.
if (document.getElementById("secret")) history.replaceState(null, "", location.href);

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied ?? "Copied";
  });
}
