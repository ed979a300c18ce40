'use strict';

const SIGNS = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (sign) => SIGNS[sign]);

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/hello') {
    res.setHeader('content-type', 'text/html');
    return res.end(`<p>Hello ${escape(url.searchParams.get('name'))}</p>`);
  }
  res.statusCode = 404;
  return res.end('not found');
};
