'use strict';

const { exec } = require('node:child_process');
const path = require('node:path');
const express = require('express');
const { requireUser } = require('../sessions');

const router = express.Router();
const EXPORTS = path.join(__dirname, '..', '..', 'storage', 'exports');

router.get('/size', requireUser, (req, res, next) => {
  exec(`wc -c ${req.query.file}`, { cwd: EXPORTS }, (err, stdout) => {
    if (err) {
      return next(err);
    }
    return res.json({ bytes: Number.parseInt(stdout, 10) });
  });
});

module.exports = router;
