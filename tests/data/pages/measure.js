// Measures the page for tests/pages.rs and sends the result to the page that frames it.
const all = (selector) => [...document.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);
const shows = (element) => !!element && element.checkVisibility() && element.getBoundingClientRect().height > 0;

const KEY_ELEMENTS = [
  "h1", ".pill", ".facts", ".todo li", ".counts .count", ".finding[open] .happened", ".finding[open] .next",
  ".finding[open] .sequence", ".sequence .to-server", ".sequence .outcome", ".finding[open] pre.log",
  ".finding[open] pre.copy", ".filter label", ".one summary", ".enable dt", ".timeline .bar", "#timeline .took",
];
const TEXTS = ["h1", ".facts", ".pill", ".todo li a", ".todo .next", ".count.bad", ".count.good", ".happened dd",
  ".finding .kind", ".sequence .when", ".sequence .what", ".sequence .outcome span", ".one .seen", ".filter label",
  ".filter input:checked + label", ".lane .took", ".aside"];

// What reaches beyond the window, apart from what scrolls in a box of its own.
function wider() {
  const scrolls = (element) => element && (/auto|scroll|hidden/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  return all("body *")
    .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1)
    .filter((element) => !scrolls(element.parentElement))
    .map((element) => element.tagName + "." + element.className);
}

const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
function luminance(colour) {
  const [r, g, b] = numbers(colour).map((value) => value / 255).map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function background(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((numbers(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
}
function contrast(element) {
  const [one, other] = [luminance(getComputedStyle(element).color), luminance(background(element))];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

// The head of an arrow to the server is at the right of its row, that of one to the client at the left.
function arrows() {
  const right = (step) => getComputedStyle(step.querySelector(".what"), "::after").right;
  const left = (step) => getComputedStyle(step.querySelector(".what"), "::after").left;
  return right(one(".to-server")) === "-1px" && left(one(".to-client")) === "-1px";
}

function filtered() {
  const rows = () => all(".list > .one").filter(shows).length;
  const choose = (text) => all(".filter label").find((label) => label.textContent.startsWith(text)).click();
  const counts = { all: rows() };
  choose("fail");
  counts.fail = rows();
  choose("life cycle");
  counts.none = rows();
  counts.sentence = shows(one(".list > .none"));
  all(".filter label").filter((label) => label.textContent === "all").forEach((label) => label.click());
  counts.again = rows();
  return counts;
}

// Every card is closed, and the first link is followed.
function opened() {
  all(".finding").forEach((card) => { card.open = false; });
  const card = one(".finding .body[id]").closest("details");
  all("a[href='#" + card.querySelector(".body").id + "']")[0].click();
  return card.open;
}

const result = {
  width: innerWidth,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  wider: wider(),
  dark: luminance(getComputedStyle(document.body).backgroundColor) < 0.2,
  visible: Object.fromEntries(KEY_ELEMENTS.map((selector) => [selector, all(selector).some(shows)])),
  contrast: Object.fromEntries(TEXTS.map((selector) => [selector, contrast(all(selector).find(shows) ?? one(selector))])),
  arrows: arrows(),
  filtered: filtered(),
  opened: opened(),
};
parent.postMessage("measured" + JSON.stringify(result) + "measured", "*");
