'use strict';
// Tells tcprove which code a server executes, and the literals in it.
//
// The file named by TCPROVE_COVERAGE is a map: a byte for each place, which is 1 once the place was reached. A byte with the
// highest bit means that tcprove knows the place. It asks by writing a number to the file beside the map; the answer is the
// same number in the map.
(() => {
  const path = process.env.TCPROVE_COVERAGE;
  const folder = process.env.TCPROVE_COVERAGE_TMP;
  if (!path || !path.startsWith(__dirname)) return;
  const HEADER = 64, STATE = 4, ANSWER = 8;
  const { openSync, readSync, writeSync, readFileSync, fstatSync, watch } = require('fs');
  const { isMainThread } = require('worker_threads');
  if (!isMainThread) return;

  const map = openSync(path, 'r+');
  const known = Buffer.alloc(fstatSync(map).size);
  const mask = known.length - HEADER - 1;
  const write = (at, number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(number);
    writeSync(map, bytes, 0, 4, at);
  };

  const { Session } = require('inspector');
  const session = new Session();
  session.connect();
  const post = (method, parameters) => {
    let result;
    // Within the same thread, the answer is there before the call returns.
    session.post(method, parameters, (error, answer) => { result = answer; });
    return result;
  };
  if (!post('Profiler.enable') || !post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })) return;

  // By script: a number for its name, or 0 if it is a part of Node or this file. By function: its blocks that were left out once.
  const scripts = new Map();
  const blocks = new Map();
  const script = (url) => {
    let hash = 0;
    if (/^(file:|\/)/.test(url) && !url.endsWith(__filename)) {
      hash = 0x811c9dc5;
      for (const letter of folder ? url.replace(folder, '') : url) {
        hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
      }
    }
    return hash;
  };
  const one = Buffer.from([1]);
  const reach = (number) => {
    const place = HEADER + (number & mask);
    if (known[place] !== 0) return 0;
    known[place] = 1;
    return writeSync(map, one, 0, 1, place);
  };
  // Appends a line with each literal of a function in hexadecimal: what it may want to read from a client.
  const words = openSync(`${__dirname}/words`, 'a');
  const texts = new Map();
  const tell = (url, start, end) => {
    if (!texts.has(url)) {
      let text = '';
      try { text = readFileSync(url.startsWith('file:') ? new URL(url) : url, 'utf8'); } catch { /* Not a file. */ }
      texts.set(url, text);
    }
    for (const [, , literal] of texts.get(url).slice(start, end).matchAll(/(['"`])((?:(?!\1)[^\\\n]){2,64})\1/g)) {
      writeSync(words, `${Buffer.from(literal).toString('hex')}\n`);
    }
  };
  // A block was executed if its function was, and no range without executions contains it.
  const executed = (file, url, { ranges }) => {
    const { startOffset: start, endOffset: end, count } = ranges[0];
    if (count === 0) return 0;
    const base = file + Math.imul(start, 0x9e3779b1) + Math.imul(end, 0x85ebca6b);
    let left = blocks.get(base);
    if (!left) blocks.set(base, left = new Map());
    const without = ranges.filter((range) => range.count === 0);
    for (const range of without) left.set(`${range.startOffset}:${range.endOffset}`, range);
    let written = reach(base);
    if (written > 0) tell(url, start, end);
    for (const block of left.values()) {
      const inside = (range) => range.startOffset <= block.startOffset && block.endOffset <= range.endOffset;
      if (!without.some(inside)) {
        written += reach(base + Math.imul(block.startOffset, 0xc2b2ae35) + block.endOffset);
      }
    }
    return written;
  };
  const look = () => {
    const coverage = post('Profiler.takePreciseCoverage');
    readSync(map, known, 0, known.length, 0);
    let written = 0;
    for (const { scriptId, url, functions } of coverage ? coverage.result : []) {
      if (!scripts.has(scriptId)) scripts.set(scriptId, script(url));
      const file = scripts.get(scriptId);
      if (file !== 0) for (const one of functions) written += executed(file, url, one);
    }
    if (written > 0) write(0, 1);
  };

  const asks = path.replace(/map$/, 'ask');
  const asked = openSync(asks, 'r');
  const number = Buffer.alloc(4);
  let answered = 0;
  const answer = () => {
    readSync(asked, number, 0, 4, 0);
    if (number.readUInt32LE() === answered) return;
    answered = number.readUInt32LE();
    try { look(); } catch { /* The server must not notice. */ }
    write(ANSWER, answered);
  };
  watch(asks, { persistent: false }, answer).on('error', () => {});
  write(STATE, 1);
})();
