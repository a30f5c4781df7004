import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { sayIn } from '../../static/js/page/language.js';
import { Retry } from '../../static/js/page/retry.js';
import { FakeElement, setDocument } from './document.js';

describe('“Try now”', () => {
  const [line, seconds, button, status] = [new FakeElement(), new FakeElement(), new FakeElement(), new FakeElement()];
  line.append(seconds, button);
  let document = setDocument({});
  beforeEach(() => {
    document = setDocument({ retry: line, 'retry-in': seconds, 'retry-now': button, 'status-bar': status });
  });

  it('leaves the focus with the status when it goes, and not with nothing', () => {
    const retry = new Retry(sayIn('en'), () => {});
    retry.show(2);
    button.focus();
    retry.show(null);
    assert.equal(line.hidden, true);
    assert.equal(document.activeElement, status);
  });

  it('takes the focus from nothing else', () => {
    const retry = new Retry(sayIn('en'), () => {});
    const field = new FakeElement();
    field.focus();
    retry.show(2);
    retry.show(null);
    assert.equal(document.activeElement, field);
  });

  it('leaves the focus alone while it counts', () => {
    const retry = new Retry(sayIn('en'), () => {});
    button.focus();
    for (const due of [2, 1]) retry.show(due);
    assert.equal(document.activeElement, button);
    retry.show(null);
  });
});
