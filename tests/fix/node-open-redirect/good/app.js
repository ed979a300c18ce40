'use strict';

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/go') {
    const next = url.searchParams.get('next') || '/';
    if (!next.startsWith('/') || next.startsWith('//') || next.includes('\\')) {
      res.statusCode = 400;
      return res.end('that leads elsewhere');
    }
    res.statusCode = 302;
    res.setHeader('location', next);
    return res.end();
  }
  res.statusCode = 404;
  return res.end('not found');
};
