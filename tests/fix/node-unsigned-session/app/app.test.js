'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

const { issue } = require('./app');
test('takes its own', async () => {
  assert.strictEqual((await ask('/session?token=' + issue('ann'))).text, 'ann');
});
test('refuses a forged one', async () => {
  assert.strictEqual((await ask('/session?token=' + issue('ann') + '0')).status, 401);
});
