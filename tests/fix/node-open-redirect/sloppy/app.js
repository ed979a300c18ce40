'use strict';

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/go') {
    res.statusCode = 302;
    res.setHeader('location', (url.searchParams.get('next') || '/').replace('http:', ''));
    return res.end();
  }
  res.statusCode = 404;
  return res.end('not found');
};
