'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

test('measures', async () => {
  assert.strictEqual((await ask('/parse?text=' + encodeURIComponent('[1,2]'))).text, '2');
});
test('an error stays an error', async () => {
  assert.strictEqual((await ask('/parse?text=x')).status, 400);
});
