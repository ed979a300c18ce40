'use strict';

const crypto = require('node:crypto');

const USERS = [{ name: 'ann', pin: crypto.randomBytes(4).toString('hex') }];

function matches(value, wanted) {
  if (wanted && typeof wanted === 'object' && '$ne' in wanted && wanted.$ne !== null) {
    return value !== wanted.$ne;
  }
  return value === wanted;
}

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/login') {
    let text = '';
    req.on('data', (piece) => (text += piece));
    req.on('end', () => {
      const given = JSON.parse(text);
      const user = USERS.find((known) => matches(known.name, given.name) && matches(known.pin, given.pin));
      res.statusCode = user ? 200 : 401;
      res.end(user ? user.name : 'no');
    });
    return undefined;
  }
  res.statusCode = 404;
  return res.end('not found');
};

module.exports.USERS = USERS;
