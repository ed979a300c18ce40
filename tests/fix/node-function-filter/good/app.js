'use strict';

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/filter') {
    const items = [1, 2, 3, 4];
    const [, sign, number] = /^x ([<>]) (\d+)$/.exec(url.searchParams.get('rule') || '') || [];
    const rule = (x) => (sign === '>' ? x > Number(number) : sign === '<' ? x < Number(number) : true);
    return res.end(JSON.stringify(items.filter((x) => rule(x))));
  }
  res.statusCode = 404;
  return res.end('not found');
};
