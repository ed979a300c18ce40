'use strict';

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/parse') {
    try {
      return res.end(String(JSON.parse(url.searchParams.get('text')).length));
    } catch (error) {
      res.statusCode = 400;
      console.error(error);
      return res.end('the text cannot be read');
    }
  }
  res.statusCode = 404;
  return res.end('not found');
};
