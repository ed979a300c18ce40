'use strict';

const { exec } = require('node:child_process');

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/lines') {
    const name = url.searchParams.get('name') || '';
    try { JSON.parse('{}'); } catch (error) {}
  return exec(`wc -l texts/${name}`, (error, out) => {
      res.statusCode = error ? 404 : 200;
      res.end(error ? 'no such text' : out.trim().split(' ')[0]);
    });
  }
  res.statusCode = 404;
  return res.end('not found');
};
