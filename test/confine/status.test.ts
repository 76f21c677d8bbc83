/** States of services, their units and drop-ins. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { undoConfine } from '../../src/confine/commands/undo.ts';
import { exposureText, parseExposure } from '../../src/confine/core/exposure.ts';
import { lockConfine, readDropIn } from '../../src/confine/io/drop-in-file.ts';
import { exposureWith } from '../../src/confine/io/exposure.ts';
import {
  dropInOf,
  findService,
  confinePathsOf,
  type ConfinedService,
} from '../../src/confine/io/places.ts';
import { formatServiceState, type SurveyedService } from '../../src/confine/io/survey.ts';
import { statusOf, type UnitNow } from '../../src/confine/io/unit.ts';
import { paths, put, root } from './host-root.ts';

const places = confinePathsOf(paths, root);

const unitNow: UnitNow = {
  active: 'active',
  mainPid: 12,
  restarts: 0,
  fragment: '',
  dropIns: [],
  stale: false,
  cgroup: '',
};

suite('formatServiceState() and statusOf()', () => {
  const text = (more: Partial<SurveyedService>) =>
    formatServiceState({ state: 'ours', inForce: true, now: unitNow, ...more } as SurveyedService);

  test('formatServiceState() reports the file, the process and edits', () => {
    const stopped = { ...unitNow, mainPid: 0 };
    assert.equal(text({ state: 'absent' }), 'not confined');
    assert.equal(text({ state: 'foreign' }), 'file of another');
    assert.equal(text({}), 'confined');
    assert.equal(text({ inForce: false }), 'after a restart');
    assert.equal(text({ now: stopped, inForce: false }), 'confined when it starts');
    assert.equal(text({ state: 'changed' }), 'confined, edited');
    assert.equal(text({ state: 'changed', inForce: false }), 'after a restart, edited');
    assert.equal(text({ state: 'changed', now: stopped }), 'confined when it starts, edited');
  });

  test('statusOf() is empty for a service that does not run', () => {
    assert.equal(statusOf(places, { ...unitNow, mainPid: 0 }), '');
    assert.match(statusOf(places, { ...unitNow, mainPid: process.pid }), /^Name:/);
  });
});

suite('units and drop-ins of confine', () => {
  const serviceOf = (name: string): ConfinedService => {
    const found = findService(places, name);
    assert.ok(found, name);
    return found;
  };
  put('usr/lib/systemd/system/nginx.service', '[Service]\nExecStart=/usr/sbin/nginx\n');
  put('usr/lib/systemd/system/named.service');

  test("findService() prefers the administrator's unit, and knows aliases", () => {
    put('etc/systemd/system/named.service', '[Service]\n');
    assert.deepEqual([serviceOf('bind').name, serviceOf('bind').unit], ['named', 'named']);
    assert.equal(findService(places, '../named'), undefined);
  });

  test('findService() returns postfix.service unless that unit is of type oneshot', () => {
    put('usr/lib/systemd/system/postfix.service', '[Service]\nType=forking\n');
    assert.equal(serviceOf('postfix').unit, 'postfix');
    put('usr/lib/systemd/system/postfix.service', '[Service]\n#Type=oneshot\n');
    assert.equal(serviceOf('postfix').unit, 'postfix');
  });

  test('readDropIn() refuses a file that others can write, a link and a huge file', () => {
    const path = dropInOf(places, serviceOf('named'));
    mkdirSync(dirname(path), { recursive: true });
    const reason = () => {
      const read = readDropIn(path);
      return read.ok ? 'read' : formatProblem(read.error);
    };
    writeFileSync(path, 'x'.repeat(256 * 1024 + 1));
    assert.match(reason(), /^Cannot read ".*50-bulkhead\.conf": /);
    rmSync(path);
    writeFileSync(path, 'x'.repeat(256 * 1024));
    assert.equal(reason(), 'read');
    rmSync(path);
    symlinkSync('/etc/hostname', path);
    assert.match(reason(), /^Cannot .*50-bulkhead\.conf/);
    rmSync(dirname(path), { recursive: true });
  });

  test('lockConfine() creates its directory, and locks again after a release', () => {
    const first = lockConfine(places);
    assert.ok(first.ok);
    assert.equal(existsSync(`${places.state}/.lock`), true);
    first.value[Symbol.dispose]();
    const second = lockConfine(places);
    assert.ok(second.ok);
    second.value[Symbol.dispose]();
  });

  test('undoConfine() returns a step for each drop-in, with the command that removes it', () => {
    assert.deepEqual(undoConfine(paths), []);
    put('etc/systemd/system/nginx.service', '[Service]\n');
    put('etc/systemd/system/nginx.service.d/50-bulkhead.conf', 'ours or not');
    assert.deepEqual(undoConfine(paths), [
      { what: 'the sandbox of nginx', command: ['confine', 'disable', 'nginx', '--yes'] },
    ]);
    assert.equal(
      readFileSync(join(root, 'etc/systemd/system/nginx.service.d/50-bulkhead.conf'), 'utf8'),
      'ours or not',
    );
  });

  test('exposureWith() returns no score for an old systemd or a unit without a file', async () => {
    const service = serviceOf('nginx');
    const fragment = `${root}/usr/lib/systemd/system/nginx.service`;
    const score = (more: Partial<UnitNow>, version: number) =>
      exposureWith(
        places,
        service,
        { ...unitNow, fragment, ...more },
        { text: undefined, version },
      );
    assert.equal(await score({}, 249), undefined);
    assert.equal(await score({ fragment: '' }, 257), undefined);
    assert.equal(await score({ dropIns: [join(root, 'vanished.conf')] }, 257), undefined);
  });

  test('exposureText() and parseExposure() handle a score and its absence', () => {
    assert.equal(exposureText(undefined), '-');
    assert.equal(exposureText(10), '10.0');
    assert.equal(parseExposure('→ Overall exposure level for a.service: 10.0 DANGEROUS'), 10);
    assert.equal(parseExposure('→ Overall exposure level for a b: 1.0'), undefined);
  });
});
