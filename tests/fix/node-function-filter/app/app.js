'use strict';

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/filter') {
    const items = [1, 2, 3, 4];
    const rule = new Function('x', `return ${url.searchParams.get('rule') || 'true'}`);
    return res.end(JSON.stringify(items.filter((x) => rule(x))));
  }
  res.statusCode = 404;
  return res.end('not found');
};
