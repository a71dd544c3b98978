// npm: ws 8.17.0, as its documentation begins.
// usage: NODE_PATH=FOLDER/node_modules node ws_server.js PORT
const { WebSocketServer } = require("ws");
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]) });
server.on("connection", (client) => {
  client.on("error", console.error);
  client.on("message", (data) => client.send(data));
});
