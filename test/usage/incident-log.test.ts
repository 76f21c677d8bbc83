import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fault } from '../../src/usage/fault.ts';
import {
  IncidentLog,
  snapshotsMax,
  quietMilliseconds,
  wantsSnapshot,
  worse,
} from '../../src/usage/incident-log.ts';

const fault = (more: Partial<Fault> = {}): Fault => ({
  member: 'u1001',
  limit: 'cpu.limit',
  severity: 'throttled',
  count: 1,
  inferred: false,
  ...more,
});
const moment = (seconds: number, at = 1e12 + seconds * 1000) => ({ at, monotonic: seconds * 1000 });

describe('IncidentLog', () => {
  test('add() joins faults of one member and limit when they are near in time', () => {
    const log = new IncidentLog();
    const [first] = log.add([fault()], moment(0));
    const [second] = log.add([fault({ count: 4 })], moment(299));
    assert.equal(second, first);
    assert.equal(first?.faults, 5);
    assert.equal(first?.end, 1e12 + 299_000);
    const [third] = log.add([fault()], moment(299 + 300));
    assert.notEqual(third, first);
    const others = log.add([fault({ member: 'u1002' }), fault({ limit: 'io.read' })], moment(600));
    assert.equal(new Set([first, third, ...others]).size, 4);
  });

  test('add() keeps the worst severity, and inferred only when all faults are', () => {
    const log = new IncidentLog();
    const [incident] = log.add([fault({ inferred: true })], moment(0));
    assert.equal(incident?.inferred, true);
    log.add([fault({ severity: 'killed' }), fault({ severity: 'refused' })], moment(1));
    assert.equal(incident?.severity, 'killed');
    assert.equal(incident?.inferred, false);
    assert.equal(worse('refused', 'throttled'), 'refused');
  });

  test('add() returns an incident once when a tick has several of its faults', () => {
    const log = new IncidentLog();
    assert.equal(log.add([fault(), fault(), fault()], moment(0)).length, 1);
  });

  test('add() uses the monotonic clock when the wall clock jumps', () => {
    const log = new IncidentLog();
    const [incident] = log.add([fault()], moment(0, 5e12));
    const [after] = log.add([fault()], moment(5, 1000));
    assert.equal(after, incident);
    assert.equal(incident?.begin, 5e12);
    assert.equal(incident?.end, 5e12);
    const [later] = log.add([fault()], moment(400, 1001));
    assert.notEqual(later, incident);
  });

  test('close() forgets incidents that have been quiet long enough', () => {
    const log = new IncidentLog();
    for (let uid = 0; uid < 100; uid++) log.add([fault({ member: `u${uid}` })], moment(uid));
    log.close(50_000 + quietMilliseconds);
    assert.equal(log.open.length, 49);
  });

  test('wantsSnapshot() is true at once, then twice a minute, ten times at most', () => {
    const log = new IncidentLog();
    const [incident] = log.add([fault()], moment(0));
    assert.ok(incident !== undefined);
    let taken = 0;
    for (let seconds = 0; seconds <= 3600; seconds += 5) {
      log.add([fault()], moment(seconds));
      if (!wantsSnapshot(incident, seconds * 1000)) continue;
      incident.snapshots++;
      incident.lastSnapshot = seconds * 1000;
      incident.shownSeverity = incident.severity;
      taken++;
      if (seconds < 60) assert.ok(taken <= 2);
    }
    assert.equal(taken, snapshotsMax);
  });

  test('wantsSnapshot() is true at once when the severity becomes worse', () => {
    const log = new IncidentLog();
    const [incident] = log.add([fault()], moment(0));
    assert.ok(incident !== undefined);
    Object.assign(incident, { snapshots: 1, lastSnapshot: 0, shownSeverity: 'throttled' });
    assert.equal(wantsSnapshot(incident, 1000), false);
    log.add([fault({ severity: 'killed' })], moment(2));
    assert.equal(wantsSnapshot(incident, 2000), true);
  });
});
