// Node's own HTTP server with the echo function written by hand: the floor of
// any server in Node.js.
import { createServer } from 'node:http';
import { parse } from 'node:querystring';

createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const form = parse(Buffer.concat(chunks).toString());
    const ok = form.taskSid && form.hold && form.priority && form.note;
    const body = JSON.stringify(ok
      ? { taskSid: form.taskSid, priority: Number(form.priority), held: form.hold === 'true', success: true }
      : { success: false });
    response.writeHead(ok ? 200 : 400, {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
      'Access-Control-Allow-Headers': 'Content-Type',
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    });
    response.end(body);
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
