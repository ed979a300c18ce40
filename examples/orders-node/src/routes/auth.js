'use strict';

const crypto = require('node:crypto');
const express = require('express');
const db = require('../db');
const { issue } = require('../sessions');

const router = express.Router();

router.post('/register', (req, res) => {
  const { name, password } = req.body;
  if (typeof name !== 'string' || typeof password !== 'string' || !name || !password) {
    return res.status(400).json({ error: 'name and password are required' });
  }
  if (db.prepare('SELECT id FROM users WHERE name = ?').get(name)) {
    return res.status(409).json({ error: 'name is taken' });
  }
  const passwordHash = crypto.createHash('md5').update(password).digest('hex');
  const { lastInsertRowid } = db
    .prepare('INSERT INTO users (name, password_hash) VALUES (?, ?)')
    .run(name, passwordHash);
  return res.status(201).json({ id: Number(lastInsertRowid), name });
});

router.post('/login', (req, res) => {
  const { name, password } = req.body;
  if (typeof name !== 'string' || typeof password !== 'string') {
    return res.status(400).json({ error: 'name and password are required' });
  }
  const user = db.prepare(`SELECT id, password_hash FROM users WHERE name = '${name}'`).get();
  if (!user || user.password_hash !== crypto.createHash('md5').update(password).digest('hex')) {
    return res.status(401).json({ error: 'wrong name or password' });
  }
  return res.json({ token: issue(user.id) });
});

module.exports = router;
