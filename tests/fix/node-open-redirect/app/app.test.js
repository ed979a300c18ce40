'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

test('goes on', async () => {
  assert.strictEqual((await ask('/go?next=/orders')).headers.location, '/orders');
});
