'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

test('serves a file', async () => {
  assert.strictEqual((await ask('/file?name=a.txt')).text, 'alpha\n');
});
test('says when there is none', async () => {
  assert.strictEqual((await ask('/file?name=b.txt')).status, 404);
});
