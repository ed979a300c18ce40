'use strict';

const express = require('express');

const app = express();

app.disable('x-powered-by');
app.use(express.json());
app.use('/', require('./routes/auth'));
app.use('/orders', require('./routes/orders'));
app.use('/files', require('./routes/files'));
app.use('/tools', require('./routes/tools'));

app.use((err, req, res, next) => {
  if (res.headersSent) {
    return next(err);
  }
  return res.status(err.status || 500).send(err.stack);
});

module.exports = app;
