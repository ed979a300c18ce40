'use strict';

const test = require('node:test');
const assert = require('node:assert');
const ask = require('./client');

test('changes the theme', async () => {
  assert.deepStrictEqual(JSON.parse((await ask('/settings', '{"theme":"dark"}')).text), { theme: 'dark', admin: false });
});
