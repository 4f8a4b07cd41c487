// Makes elements.

/** Return an element with attributes (functions are listeners) and children (texts or elements). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Set the text of an element if it differs: an unchanged element is not laid out again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function button(text, title, press) {
  return make("button", { type: "button", title, "aria-label": title, click: press }, text);
}

/** Return a labelled field in which the user selects one of [value, text] pairs. */
export function select(label, choices, change) {
  const field = make("select", { change: () => change(field.value) });
  field.append(...choices.map(([value, text]) => make("option", { value }, text)));
  return { element: make("label", { class: "field" }, `${label} `, field), field };
}

export function searchField(label, input) {
  const field = make("input", { type: "search", "aria-label": label, placeholder: label, input: () => input(field.value) });
  return field;
}
