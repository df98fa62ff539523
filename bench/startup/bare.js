// The least that a Node.js program can do: http and one answer.
require('http').createServer((req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end('{"success":true}');
}).listen(process.env.PORT, '127.0.0.1');
