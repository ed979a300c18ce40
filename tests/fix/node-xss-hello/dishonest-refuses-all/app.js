'use strict';

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/hello') {
    res.setHeader('content-type', 'text/html');
    return res.end('unavailable');
  }
  res.statusCode = 404;
  return res.end('not found');
};
