// Lines that are sent back. Faulty: all connections share one string decoder, so the unfinished character of one client is
// continued by the bytes of another (json-socket 0.3.0).
//
// usage: server.js PORT faulty|sound
const net = require("net");
const { StringDecoder } = require("string_decoder");

const LINE_LENGTH_MAX = 1 << 20;
const [port, how] = process.argv.slice(2);
const shared = new StringDecoder("utf8");

const server = net.createServer((socket) => {
  const decoder = how === "sound" ? new StringDecoder("utf8") : shared;
  let unfinished = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    const lines = (unfinished + decoder.write(bytes)).split("\n");
    unfinished = lines.pop();
    for (const line of lines) socket.write(line + "\n");
    if (unfinished.length > LINE_LENGTH_MAX) socket.destroy();
  });
});
server.listen(Number(port), "127.0.0.1");
