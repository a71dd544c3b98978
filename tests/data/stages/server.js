// Echoes lines, and aborts after a login and five exact lines on one connection, each of which is echoed like any other.
'use strict';
const net = require('net');

const server = net.createServer((socket) => {
  let stage = 0;
  let pieces = [];
  const line = (bytes) => {
    const text = bytes.toString('latin1').replace(/\r?\n$/, '');
    if (stage === 0) {
      if (text === 'LOGIN kiwi') stage = 1;
    } else if (stage === 1) {
      if (text === 'qz7') stage = 2;
    } else if (stage === 2) {
      if (text === 'Vx!3p') stage = 3;
    } else if (stage === 3) {
      if (text === '0mW_k9') stage = 4;
    } else if (stage === 4) {
      if (text === 'jY5') stage = 5;
    } else if (text === 'tR~2') {
      process.abort();
    }
    socket.write(bytes);
  };
  socket.on('error', () => {});
  socket.on('data', (data) => {
    let from = 0;
    for (let at; (at = data.indexOf(10, from)) >= 0; from = at + 1) {
      pieces.push(data.subarray(from, at + 1));
      line(Buffer.concat(pieces));
      pieces = [];
    }
    if (from < data.length) pieces.push(data.subarray(from));
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1');
