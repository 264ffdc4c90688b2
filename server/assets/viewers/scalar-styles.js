// Scalar brings its styles as <style> elements, some made while it runs. The policy of this page allows no inline styles,
// so each of them becomes a constructed style sheet, which the policy does not concern. Only elements that scripts make
// are taken: a <style> that arrives as markup stays blocked.
const sheets = new Map();

const byPlace = ([one], [other]) =>
  one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;

const adopt = () => {
  const connected = [...sheets].filter(([element]) => element.isConnected).sort(byPlace);
  const wanted = connected.map(([, sheet]) => sheet);
  const current = document.adoptedStyleSheets;
  if (wanted.length !== current.length || wanted.some((sheet, index) => sheet !== current[index])) {
    document.adoptedStyleSheets = wanted;
  }
};

const createElement = Document.prototype.createElement;
Document.prototype.createElement = function (name, ...options) {
  if (this !== document || String(name).toLowerCase() !== "style") return createElement.call(this, name, ...options);
  // A stand-in that no browser takes for styles: even one of another type would be reported as a violation.
  const element = createElement.call(this, "adopted-style");
  const sheet = new CSSStyleSheet();
  const changes = { characterData: true, childList: true, subtree: true };
  new MutationObserver(() => sheet.replaceSync(element.textContent)).observe(element, changes);
  element.hidden = true;
  sheets.set(element, sheet);
  return element;
};

// The same for style attributes that scripts set: through the object model they are allowed.
const setAttribute = Element.prototype.setAttribute;
Element.prototype.setAttribute = function (name, value) {
  if (name === "style" && this.style) this.style.cssText = value;
  else setAttribute.call(this, name, value);
};

// And for the one style attribute that comes as markup: the highlighter's count of lines.
const lines = /(<code class="[^"<>]*") style="(--line-count: \d+; --line-digits: \d+;)"/g;
const innerHTML = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
Object.defineProperty(Element.prototype, "innerHTML", {
  ...innerHTML,
  set(markup) {
    innerHTML.set.call(this, String(markup ?? "").replace(lines, '$1 data-lines="$2"'));
    for (const code of this.querySelectorAll("code[data-lines]")) code.style.cssText = code.dataset.lines;
  },
});

new MutationObserver(adopt).observe(document, { childList: true, subtree: true });
