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

  /** The rows that are shown, as a person reads them. @param {Diagram} diagram */
  const rows = ({ entries }) => entries.map(({ label, note, fate }) => [label, note, fate].filter(Boolean).join(' '));
  /** @param {string} room */
  const joined = (room) => /** @type {any} */ ({ type: 'frame', direction: 'received', message: { type: 'joined', room, peers: [] } });

  it('lets the row of a way change, as it is known better', () => {
    const diagram = new Diagram(sayIn('en'));
    diagram.addDirect('Direct', { note: 'host ↔ prflx UDP' });
    diagram.addDirect('Direct', { note: 'host ↔ host UDP' });
    assert.deepEqual(rows(diagram), ['Direct host ↔ host UDP delivered']);
  });

  it('keeps the ways of several calls apart', () => {
    const diagram = new Diagram(sayIn('en'));
    for (const peer of ['a', 'b', 'a', 'b']) diagram.addDirect('Direct', { peer });
    diagram.endCall('a');
    for (const peer of ['a', 'b']) diagram.addDirect('Direct', { peer });
    assert.equal(direct().length, 3);
  });

  it('names the member of a room, and no one in a call', () => {
    const diagram = new Diagram(sayIn('en'));
    diagram.add({ type: 'frame', direction: 'received', message: { type: 'bye', from: '3f2a1b00-0000-4000-8000-000000000000', bye: { room: 'x', reason: 'busy' } } });
    diagram.add({ type: 'frame', direction: 'sent', message: { type: 'candidate', to: '9c8d7e00-0000-4000-8000-000000000000', candidate: { room: 'x', candidate: '' } } });
    diagram.add({ type: 'frame', direction: 'received', message: { type: 'bye', from: '3f2a1b00-0000-4000-8000-000000000000', bye: { reason: 'busy' } } });
    assert.deepEqual(rows(diagram), ['bye 3f2a1b00: busy delivered', 'candidate 9c8d7e00: no more of them sent', 'bye busy delivered']);
  });

  it('says who controls ICE until an answer has passed', () => {
    const diagram = new Diagram(sayIn('en'));
    const sdp = 'v=0\r\nm=audio 9 x 0\r\na=setup:actpass\r\n';
    diagram.add({ type: 'frame', direction: 'sent', message: { type: 'offer', to: 'b', offer: { sdp } } });
    diagram.add({ type: 'frame', direction: 'received', message: { type: 'answer', from: 'b', answer: { sdp } } });
    diagram.add({ type: 'frame', direction: 'sent', message: { type: 'offer', to: 'b', offer: { sdp } } });
    const notes = diagram.entries.map(({ note }) => /ICE \w+/.exec(note)?.[0] ?? '');
    assert.deepEqual(notes, ['ICE controlling', 'ICE controlled', '']);
  });

  it('counts what waits in a pause, shows it when it goes on, and marks meanwhile what is answered', () => {
    const diagram = new Diagram(sayIn('en'));
    /** @type {number[]} */
    const held = [];
    diagram.add(joined('before'));
    diagram.pause(true, (count) => held.push(count));
    diagram.add({ type: 'frame', direction: 'sent', message: { type: 'join', room: 'tea', ref: 1 } });
    diagram.add({ type: 'frame', direction: 'received', message: { type: 'ack', ref: 1 } });
    diagram.add(joined('tea'));
    assert.deepEqual(rows(diagram), ['joined before delivered']);
    assert.deepEqual(held, [1, 2]);
    diagram.pause(false);
    assert.deepEqual(rows(diagram), ['joined before delivered', 'join tea delivered', 'joined tea delivered']);
    assert.equal(list.childElementCount, 3);
  });

  it('keeps 200 rows, the newest, and as many that wait', () => {
    const diagram = new Diagram(sayIn('en'));
    for (let index = 0; index < 250; index++) diagram.add(joined(`r${index}`));
    assert.equal(list.childElementCount, 200);
    assert.equal(diagram.entries.length, 200);
    assert.equal(diagram.entries[0]?.note, 'r50');
    let last = 0;
    diagram.pause(true, (count) => void (last = count));
    for (let index = 0; index < 250; index++) diagram.add(joined(`s${index}`));
    assert.equal(last, 200);
    diagram.pause(false);
    assert.deepEqual([diagram.entries[0]?.note, list.childElementCount], ['s50', 200]);
  });

  it('gives of its rows those of the kinds that are shown', () => {
    const diagram = new Diagram(sayIn('en'));
    diagram.add(joined('tea'));
    diagram.add({ type: 'frame', direction: 'sent', message: { type: 'candidate', to: 'b', candidate: null, ref: 1 } });
    diagram.add({ type: 'frame', direction: 'received', message: { type: 'error', code: 'peer-unavailable', message: 'there is no such peer', ref: 1 } });
    diagram.hide(['room']);
    assert.deepEqual(rows(diagram), ['candidate no more of them refused', 'peer-unavailable there is no such peer refused']);
    diagram.hide(['candidate']);
    assert.deepEqual(rows(diagram), ['joined tea delivered']);
  });
});
