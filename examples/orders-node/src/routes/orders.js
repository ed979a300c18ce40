'use strict';

const express = require('express');
const db = require('../db');
const { requireUser } = require('../sessions');

const router = express.Router();

function view(order) {
  return { id: order.id, item: order.item, quantity: order.quantity };
}

router.use(requireUser);

router.get('/', (req, res) => {
  const search = req.query.search || '';
  const sql =
    'SELECT id, item, quantity FROM orders WHERE owner = ' + req.userId +
    " AND item LIKE '%" + search + "%' ORDER BY id";
  const rows = db.prepare(sql).all();
  res.json(rows.map(view));
});

router.get('/:id', (req, res) => {
  const order = db
    .prepare('SELECT id, item, quantity FROM orders WHERE id = ? AND owner = ?')
    .get(Number(req.params.id), req.userId);
  if (!order) {
    return res.status(404).json({ error: 'no such order' });
  }
  return res.json(view(order));
});

router.post('/', (req, res) => {
  const { item, quantity = 1 } = req.body;
  if (typeof item !== 'string' || !Number.isInteger(quantity) || quantity < 1) {
    return res.status(400).json({ error: 'item and a whole quantity are required' });
  }
  const { lastInsertRowid } = db
    .prepare('INSERT INTO orders (owner, item, quantity) VALUES (?, ?, ?)')
    .run(req.userId, item, quantity);
  return res.status(201).json({ id: Number(lastInsertRowid), item, quantity });
});

// The warehouse posts its export as text: a JSON list of orders.
router.post('/import', express.text(), (req, res) => {
  const orders = eval('(' + req.body + ')');
  const insert = db.prepare('INSERT INTO orders (owner, item, quantity) VALUES (?, ?, ?)');
  for (const { item, quantity } of orders) {
    insert.run(req.userId, String(item), Number(quantity));
  }
  res.status(201).json({ imported: orders.length });
});

module.exports = router;
