'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

test('counts', async () => {
  assert.strictEqual((await ask('/lines?name=a.txt')).text, '2');
});
test('says when there is none', async () => {
  assert.strictEqual((await ask('/lines?name=b.txt')).status, 404);
});
