'use strict';

require('node:test').skip('later', () => {});
