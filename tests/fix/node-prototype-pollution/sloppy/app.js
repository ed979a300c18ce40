'use strict';

function merge(target, source) {
  for (const key of Object.keys(source)) {
    if (key === 'prototype') {
      continue;
    }
    if (typeof source[key] === 'object' && source[key] !== null) {
      target[key] = merge(target[key] || {}, source[key]);
    } else {
      target[key] = source[key];
    }
  }
  return target;
}

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/settings') {
    let text = '';
    req.on('data', (piece) => (text += piece));
    req.on('end', () => {
      const settings = merge({ theme: 'light' }, JSON.parse(text || '{}'));
      const account = {};
      res.end(JSON.stringify({ theme: settings.theme, admin: account.admin === true }));
    });
    return undefined;
  }
  res.statusCode = 404;
  return res.end('not found');
};
