'use strict';
// Tells tcprove what each function of a server costs, by samples of its engine's profiler.
//
// SIGVTALRM begins, and the next one writes a file and ends the server: a line for each function in each place from which it is called,
// with its depth, the nanoseconds of its samples, 0, 1 if it is a part of a library, its name, its file unless that is the main one, and
// its place, separated by tabs.
(() => {
  const path = process.env.TCPROVE_PROFILE;
  const { isMainThread } = require('worker_threads');
  if (!path || !isMainThread) return;
  const INTERVAL_US = 100;
  const { readFileSync, renameSync, writeFileSync } = require('fs');
  const { basename } = require('path');
  const { Session } = require('inspector');
  const session = new Session();
  session.connect();
  const post = (method, parameters) => {
    let result;
    // Within the same thread, the answer is there before the call returns.
    session.post(method, parameters, (error, answer) => { result = answer; });
    return result;
  };
  if (!post('Profiler.enable') || !post('Profiler.setSamplingInterval', { interval: INTERVAL_US })) return;
  // What was inlined would count for the function into which it was.
  const compilers = parseInt(process.versions.v8) < 11 ? ['turbo'] : ['turbo', 'maglev'];
  for (const compiler of compilers) require('v8').setFlagsFromString(`--no-${compiler}-inlining`);

  // Nanoseconds of CPU time of this thread.
  const cpu = () => {
    try {
      return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      const { user, system } = process.cpuUsage();
      return (user + system) * 1000;
    }
  };
  const none = new Set(['(root)', '(idle)']);
  const isHidden = ({ callFrame }) => none.has(callFrame.functionName) || callFrame.url.endsWith(__filename);
  const isLibrary = (url) => !url || url.startsWith('node:') || url.includes('/node_modules/');
  const told = ({ functionName, url, lineNumber }) => {
    const file = url.replace(/^file:\/\//, '');
    const short = basename(file);
    const place = short && `${short}:${lineNumber + 1}`;
    return [isLibrary(url) ? 1 : 0, functionName || '<anonymous>', file === process.argv[1] ? '' : short, place];
  };
  const write = (spent) => {
    const { profile } = post('Profiler.stop');
    const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
    const hits = new Map();
    for (const id of profile.samples) hits.set(id, (hits.get(id) ?? 0) + 1);
    let all = 0;
    for (const [id, count] of hits) if (!isHidden(nodes.get(id))) all += count;
    // Each sample stands for the same CPU time: one that waited for a core came late, but only once.
    const each = all > 0 ? spent / all : 0;
    const lines = [];
    const add = (node, depth) => {
      const hidden = isHidden(node);
      if (!hidden) {
        const own = Math.round((hits.get(node.id) ?? 0) * each);
        const columns = [depth, own, 0, ...told(node.callFrame)];
        lines.push(columns.map((column) => String(column).replace(/\s/g, ' ')).join('\t'), '\n');
      }
      for (const id of node.children ?? []) add(nodes.get(id), hidden ? depth : depth + 1);
    };
    add(profile.nodes[0], 0);
    const part = `${path}/part.${process.pid}`;
    writeFileSync(part, lines.join(''));
    renameSync(part, `${path}/script.${process.pid}`);
  };
  let begun = null;
  process.on('SIGVTALRM', () => {
    if (begun === null) {
      post('Profiler.start');
      begun = cpu();
      writeFileSync(`${path}/begun.${process.pid}`, '');
      return;
    }
    try { write(cpu() - begun); } finally { process.reallyExit(0); }
  });
})();
