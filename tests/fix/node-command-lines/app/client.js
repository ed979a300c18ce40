'use strict';

const http = require('node:http');
const handler = require('./app');

module.exports = function ask(path, body) {
  return new Promise((resolve, reject) => {
    const server = http.createServer(handler).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      const method = body === undefined ? 'GET' : 'POST';
      const request = http.request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
        let text = '';
        response.on('data', (piece) => (text += piece));
        response.on('end', () => server.close(() => resolve({ status: response.statusCode, headers: response.headers, text })));
      });
      request.on('error', reject);
      request.end(body);
    });
  });
};
