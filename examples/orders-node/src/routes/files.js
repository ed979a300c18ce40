'use strict';

const path = require('node:path');
const express = require('express');
const { requireUser } = require('../sessions');

const router = express.Router();
const INVOICES = path.join(__dirname, '..', '..', 'storage', 'invoices');

router.get('/invoices', requireUser, (req, res) => {
  const file = path.join(INVOICES, req.query.name || 'latest.txt');
  res.sendFile(file);
});

module.exports = router;
