// Measures the flame graph of a gate for tests/pages.rs and sends the result to the page that frames it.
const all = (selector) => [...document.querySelectorAll(selector)];
const frames = all("g.frame");
const name = (frame) => frame.querySelector("title").textContent;
const box = (element) => element.getBoundingClientRect();
const planted = frames.find((frame) => name(frame).startsWith("respond "));
const root = frames.find((frame) => name(frame).startsWith("all: "));
const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);

// A label that is wider than its frame covers the next one.
function spills(frame) {
  const text = frame.querySelector("text");
  return text && box(text).right > box(frame.querySelector("rect")).right + 1;
}

const fill = numbers(getComputedStyle(planted.querySelector("rect")).fill);
const result = {
  width: innerWidth,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  shows: planted.checkVisibility() && box(planted.querySelector("rect")).height > 5,
  label: planted.querySelector("text").textContent,
  part: box(planted.querySelector("rect")).width / box(root.querySelector("rect")).width,
  red: fill[0] > fill[2] + 40,
  spills: frames.filter(spills).map(name),
  above: box(planted.querySelector("rect")).bottom < box(root.querySelector("rect")).top,
};
parent.postMessage("measured" + JSON.stringify(result) + "measured", "*");
