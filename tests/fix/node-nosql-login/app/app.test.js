'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

const { USERS } = require('./app');
test('logs in', async () => {
  assert.strictEqual((await ask('/login', JSON.stringify(USERS[0]))).status, 200);
});
test('refuses a wrong pin', async () => {
  assert.strictEqual((await ask('/login', '{"name":"ann","pin":"x"}')).status, 401);
});
