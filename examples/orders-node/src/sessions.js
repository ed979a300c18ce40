'use strict';

const crypto = require('node:crypto');

const SESSION_SECRET = 'FAKE-orders-session-key-canary';

function sign(payload) {
  return crypto.createHmac('sha256', SESSION_SECRET).update(payload).digest('base64url');
}

function issue(userId) {
  const payload = Buffer.from(JSON.stringify({ userId })).toString('base64url');
  return `${payload}.${sign(payload)}`;
}

function read(token) {
  const [payload, signature] = String(token || '').split('.');
  const expected = Buffer.from(sign(payload || ''));
  const given = Buffer.from(signature || '');
  if (given.length !== expected.length || !crypto.timingSafeEqual(given, expected)) {
    return null;
  }
  return JSON.parse(Buffer.from(payload, 'base64url').toString());
}

function requireUser(req, res, next) {
  const session = read((req.get('authorization') || '').replace(/^Bearer /, ''));
  if (!session) {
    return res.status(401).json({ error: 'sign in first' });
  }
  req.userId = session.userId;
  return next();
}

module.exports = { issue, requireUser };
