'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const WAIT_MS_MAX = 30_000;
const POLL_MS = 20;

/** Waits until something is so, or is there, and gives it. */
async function until(what, isSo) {
  for (const end = Date.now() + WAIT_MS_MAX; Date.now() < end; await sleep(POLL_MS)) {
    const found = await isSo();
    if (found) return found;
  }
  throw new Error(`${what}: not within ${WAIT_MS_MAX} ms`);
}

module.exports = { WAIT_MS_MAX, until };
