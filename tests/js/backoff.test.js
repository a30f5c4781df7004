import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reconnectDelay } from '../../static/js/backoff.js';
import { causeOfClose, lost } from '../../static/js/cause.js';

describe('the delay before the next connection', () => {
  it('is full jitter: anything from nothing to the ceiling', () => {
    assert.equal(reconnectDelay(0, lost, 0), 0);
    assert.equal(reconnectDelay(0, lost, 1), 0.5);
    assert.equal(reconnectDelay(3, lost, 0.5), 2);
  });

  it('doubles its ceiling, up to 15 seconds', () => {
    const ceilings = [0, 1, 2, 3, 4, 5, 6, 2000].map((attempt) => reconnectDelay(attempt, lost, 1));
    assert.deepEqual(ceilings, [0.5, 1, 2, 4, 8, 15, 15, 15]);
  });

  it('spreads the crowd of a restarted server over two seconds', () => {
    assert.equal(reconnectDelay(0, causeOfClose(1012), 1), 2);
  });

  it('is long where the same would happen again', () => {
    for (const code of [1001, 1002, 1003, 1007, 1008, 1009]) assert.equal(reconnectDelay(0, causeOfClose(code), 1), 15);
  });

  it('never undercuts what the server asked for, and is jittered beyond it', () => {
    const cause = { ...lost, retryAfter: 30 };
    assert.equal(reconnectDelay(0, cause, 0), 30);
    assert.equal(reconnectDelay(0, cause, 1), 30.5);
  });

  it('stays within what a timer can count', () => {
    assert.equal(reconnectDelay(0, { ...lost, retryAfter: 1e9 }, 0), 3600);
    assert.equal(reconnectDelay(0, { ...lost, retryAfter: -5 }, 0), 0);
  });
});
