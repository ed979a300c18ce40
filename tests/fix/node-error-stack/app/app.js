'use strict';

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/parse') {
    try {
      return res.end(String(JSON.parse(url.searchParams.get('text')).length));
    } catch (error) {
      res.statusCode = 400;
      return res.end(error.stack);
    }
  }
  res.statusCode = 404;
  return res.end('not found');
};
