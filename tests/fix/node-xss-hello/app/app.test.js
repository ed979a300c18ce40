'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

test('greets', async () => {
  assert.strictEqual((await ask('/hello?name=ann')).text, '<p>Hello ann</p>');
});
