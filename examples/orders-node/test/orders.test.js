'use strict';

// A fixed backend reads its secret from the environment and refuses to start without one.
process.env.SESSION_SECRET = 'FAKE-test-session-key-canary';

const assert = require('node:assert/strict');
const { after, before, describe, it } = require('node:test');
const app = require('../src/app');

let server;
let origin;

before(async () => {
  server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
});

after(() => server.close());

async function call(method, path, { token, body, text } = {}) {
  const headers = { connection: 'close' };
  if (token) headers.authorization = `Bearer ${token}`;
  if (text !== undefined) headers['content-type'] = 'text/plain';
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(origin + path, { method, headers, body: text ?? (body && JSON.stringify(body)) });
  const raw = await response.text();
  const isJson = (response.headers.get('content-type') || '').includes('json');
  return { status: response.status, body: isJson ? JSON.parse(raw) : raw };
}

async function member(name) {
  const password = `FAKE-password-of-${name}-canary`;
  await call('POST', '/register', { body: { name, password } });
  const { body } = await call('POST', '/login', { body: { name, password } });
  return body.token;
}

describe('signing in', () => {
  it('registers a user once', async () => {
    const body = { name: 'ada', password: 'FAKE-ada-canary' };
    const first = await call('POST', '/register', { body });
    assert.equal(first.status, 201);
    assert.equal(first.body.name, 'ada');
    assert.equal((await call('POST', '/register', { body })).status, 409);
  });

  it('asks for a name and a password', async () => {
    assert.equal((await call('POST', '/register', { body: { name: 'x' } })).status, 400);
    assert.equal((await call('POST', '/login', { body: {} })).status, 400);
  });

  it('lets a registered user in and keeps a wrong password out', async () => {
    const body = { name: 'brian', password: 'FAKE-brian-canary' };
    await call('POST', '/register', { body });
    const good = await call('POST', '/login', { body });
    assert.equal(good.status, 200);
    assert.ok(good.body.token.includes('.'));
    const bad = await call('POST', '/login', { body: { ...body, password: 'FAKE-other-canary' } });
    assert.equal(bad.status, 401);
    const unknown = await call('POST', '/login', { body: { ...body, name: 'nobody' } });
    assert.equal(unknown.status, 401);
  });

  it('refuses a missing or forged token', async () => {
    assert.equal((await call('GET', '/orders')).status, 401);
    const token = await member('forged');
    assert.equal((await call('GET', '/orders', { token: `${token}x` })).status, 401);
  });
});

describe('orders', () => {
  it('stores, shows and searches the orders of their owner', async () => {
    const token = await member('carol');
    const other = await member('dave');
    const made = await call('POST', '/orders', { token, body: { item: 'copper nails', quantity: 3 } });
    assert.equal(made.status, 201);
    await call('POST', '/orders', { token, body: { item: 'paint' } });
    await call('POST', '/orders', { token: other, body: { item: 'long nails' } });

    const one = await call('GET', `/orders/${made.body.id}`, { token });
    assert.deepEqual(one.body, { id: made.body.id, item: 'copper nails', quantity: 3 });
    assert.equal((await call('GET', `/orders/${made.body.id}`, { token: other })).status, 404);

    const all = await call('GET', '/orders', { token });
    assert.deepEqual(all.body.map((order) => order.item), ['copper nails', 'paint']);
    const found = await call('GET', '/orders?search=nails', { token });
    assert.deepEqual(found.body.map((order) => order.item), ['copper nails']);
  });

  it('asks for a sensible order', async () => {
    const token = await member('erin');
    assert.equal((await call('POST', '/orders', { token, body: { item: 'glue', quantity: 0 } })).status, 400);
  });

  it('imports a list', async () => {
    const token = await member('frank');
    const text = JSON.stringify([{ item: 'saw', quantity: 1 }, { item: 'rope', quantity: 7 }]);
    const answer = await call('POST', '/orders/import', { token, text });
    assert.equal(answer.status, 201);
    assert.deepEqual(answer.body, { imported: 2 });
    const all = await call('GET', '/orders', { token });
    assert.deepEqual(all.body.map((order) => [order.item, order.quantity]), [['saw', 1], ['rope', 7]]);
  });

  it('answers a broken import with an error and goes on', async () => {
    const token = await member('grace');
    const answer = await call('POST', '/orders/import', { token, text: '[{"item": ' });
    assert.equal(answer.status, 500);
    assert.equal((await call('GET', '/orders', { token })).status, 200);
  });
});

describe('files and tools', () => {
  it('sends the latest invoice, or the named one', async () => {
    const token = await member('heidi');
    const latest = await call('GET', '/files/invoices', { token });
    assert.equal(latest.status, 200);
    assert.match(latest.body, /2024-11/);
    const named = await call('GET', '/files/invoices?name=2024-10.txt', { token });
    assert.match(named.body, /12\.50/);
    assert.equal((await call('GET', '/files/invoices?name=none.txt', { token })).status, 404);
  });

  it('tells the size of an export', async () => {
    const token = await member('ivan');
    const answer = await call('GET', '/tools/size?file=october.csv', { token });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { bytes: 16 });
    assert.equal((await call('GET', '/tools/size?file=none.csv', { token })).status, 500);
  });
});
