'use strict';

const fs = require('node:fs');
const path = require('node:path');

const BASE = path.join(__dirname, 'files');

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/file') {
    const name = path.join(BASE, url.searchParams.get('name') || '');
    if (!fs.existsSync(name)) {
      res.statusCode = 404;
      return res.end('no such file');
    }
    return res.end(fs.readFileSync(name));
  }
  res.statusCode = 404;
  return res.end('nothing');
};
