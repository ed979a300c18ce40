'use strict';

const crypto = require('node:crypto');

const KEY = crypto.randomBytes(16);

function sign(body) {
  return crypto.createHmac('sha256', KEY).update(body).digest('hex');
}

function issue(user) {
  const body = Buffer.from(JSON.stringify({ user })).toString('base64url');
  return `${body}.${sign(body)}`;
}

function read(token) {
  const [body, signature] = token.split('.');
  const given = Buffer.from(signature || '');
  const wanted = Buffer.from(sign(body));
  if (given.length !== wanted.length || !crypto.timingSafeEqual(given, wanted)) {
    return null;
  }
  return JSON.parse(Buffer.from(body, 'base64url').toString() || 'null');
}

module.exports = function handle(req, res) {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/session') {
    const session = read(url.searchParams.get('token') || '');
    res.statusCode = session ? 200 : 401;
    return res.end(session ? session.user : 'log in first');
  }
  res.statusCode = 404;
  return res.end('not found');
};

module.exports.issue = issue;
