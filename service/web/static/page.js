// Copies the text of an element; without a clipboard (an address that is not secure) selects it for the reader to copy.
"use strict";

const show = (root) => root.querySelectorAll("button.copy[hidden]").forEach((button) => { button.hidden = false; });

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.textContent);
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 2000);
  } catch {
    getSelection().selectAllChildren(text);
  }
});

show(document);
new MutationObserver(() => show(document)).observe(document.body, { childList: true, subtree: true });
