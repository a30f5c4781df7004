import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Diagram } from '../../static/js/page/diagram.js';
import { sayIn } from '../../static/js/page/language.js';
import { FakeElement, setDocument } from './document.js';

describe('the diagram', () => {
  let list = new FakeElement();
  beforeEach(() => {
    list = new FakeElement();
    setDocument({ diagram: list });
  });

  /** What is said beside the server, row by row. */
  const direct = () => list.children.map((row) => (row instanceof FakeElement && row.dataset['kind'] === 'direct' ? row.textContent.replace(/^.*: /, '') : ''));

  it('says once by which way media go, however often the browser tells it', () => {
    const diagram = new Diagram(sayIn('en'));
    for (const path of ['Direct', 'Direct', 'Relayed', 'Relayed', 'Direct']) diagram.addDirect(path);
    assert.deepEqual(direct(), ['Direct', 'Relayed', 'Direct']);
  });

  it('says it again in the next call', () => {
    const diagram = new Diagram(sayIn('en'));
    diagram.addDirect('Direct');
    diagram.endCall();
    diagram.addDirect('Direct');
    assert.deepEqual(direct(), ['Direct', 'Direct']);
  });
});
