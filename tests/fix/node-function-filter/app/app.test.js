'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

test('filters', async () => {
  assert.strictEqual((await ask('/filter?rule=' + encodeURIComponent('x > 2'))).text, '[3,4]');
  assert.strictEqual((await ask('/filter?rule=' + encodeURIComponent('x < 2'))).text, '[1]');
});
