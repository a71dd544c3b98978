'use strict';
// A line server in which the function `respond` can be made more expensive.
//
// usage: server.js PORT [respond]
const net = require('net');

const times = process.argv.includes('respond') ? 300 : 1;

function parse(line) {
  return line.split(' ');
}

function respond(words) {
  let told = 0;
  for (let time = 0; time < times; time++) told += JSON.stringify(words).length;
  return told > 0 ? words.join(' ') : '';
}

net.createServer({ noDelay: true }, (client) => {
  let kept = '';
  client.on('error', () => {});
  client.on('data', (data) => {
    const lines = (kept + data.toString('latin1')).split('\n');
    kept = lines.pop();
    for (const line of lines) client.write(`${respond(parse(line))}\n`, 'latin1');
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
