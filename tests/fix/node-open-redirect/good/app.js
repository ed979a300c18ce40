'use strict';

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/go') {
    res.statusCode = 302;
    const next = url.searchParams.get('next') || '/';
    const stays = next.startsWith('/') && new URL(next, 'http://localhost').host === 'localhost';
    res.setHeader('location', stays ? next : '/');
    return res.end();
  }
  res.statusCode = 404;
  return res.end('not found');
};
