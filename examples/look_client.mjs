// Sends photos to `mien serve` and prints what it sees; then the same over the WebSocket. No packages; Node 22 or newer:
//   node look_client.mjs [--server http://127.0.0.1:8080] [--token TOKEN] PHOTO...
// Node 20 has a WebSocket only with a flag: node --experimental-websocket look_client.mjs ...
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  options: { server: { type: "string", default: "http://127.0.0.1:8080" }, token: { type: "string" } },
  allowPositionals: true,
});
const headers = { "Content-Type": "application/octet-stream" };
if (values.token) headers.Authorization = `Bearer ${values.token}`;

const words = ({ faces, hands }) =>
  [...faces, ...hands].map((one) => `${one.label}${one.uncertain ? "?" : ""} ${Math.round(100 * one.confidence)} %`);

for (const path of positionals) {
  const url = new URL("/v1/look", values.server);
  url.searchParams.set("name", path);
  const answer = await fetch(url, { method: "POST", headers, body: await readFile(path) });
  const record = await answer.json();
  if (answer.ok) console.log(`${path}: ${words(record).join(", ") || "nothing"}`);
  else console.error(`${path}: ${record.detail}`);
}

if (typeof WebSocket === "undefined") {
  console.error("This Node has no WebSocket; use Node 22, or run Node 20 with --experimental-websocket.");
  process.exit(1);
}
const live = new URL("/v1/live", values.server.replace(/^http/, "ws"));
if (values.token) live.searchParams.set("token", values.token);
const socket = new WebSocket(live);
const next = () => new Promise((done) => socket.addEventListener("message", done, { once: true }));
await new Promise((done, failed) => Object.assign(socket, { onopen: done, onerror: failed }));
for (const path of positionals) {
  socket.send(JSON.stringify({ name: path, restart: true }));
  socket.send(await readFile(path));
  const answer = JSON.parse((await next()).data);
  if (answer.problem) console.error(`${path}: ${answer.problem.detail}`);
  else console.log(`${path}: ${words(answer).join(", ") || "nothing"} in ${answer.latency_ms.total} ms`);
}
socket.close();
