/** Pressure of the host, as the gate compares it: runs of minutes, and only what was measured. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { addMinute, pressedDays, type PressureSlot } from '../../src/fleet/core/pressure-days.ts';
import { PressureLog } from '../../src/fleet/io/pressure-log.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const day = 86_400_000;
const minute = 60_000;
const start = 20_000 * day;

suite('pressure of the host', () => {
  const directory = suiteDirectory('fleet-pressure');
  let hosts = 0;

  /** A host whose time the test decides: `pass` lets a minute pass in which work stood still for so many seconds. */
  function hostWith(context: TestContext, resources: readonly ('memory' | 'io')[]) {
    const proc = join(directory, `host-${hosts++}`);
    // Whole, since differences of fractions are a minute only by chance.
    const from = Math.round(performance.now());
    let minutes = 0;
    const totals = { memory: 0, io: 0 };
    context.mock.method(performance, 'now', () => from + minutes * minute);
    const write = () => {
      mkdirSync(`${proc}/pressure`, { recursive: true });
      for (const name of resources)
        writeFileSync(`${proc}/pressure/${name}`, `some avg10=0.00 total=${totals[name]}\n`);
    };
    write();
    const log = new PressureLog({ proc }, `${proc}/state`);
    log.see(start);
    return {
      log,
      write,
      file: (name: string) => `${proc}/pressure/${name}`,
      state: `${proc}/state`,
      pass: (stalled: Partial<typeof totals> = {}) => {
        minutes++;
        for (const name of resources) totals[name] += (stalled[name] ?? 0) * 1_000_000;
        write();
        log.see(start + minutes * minute);
      },
      skip: () => {
        minutes++;
        log.see(start + minutes * minute);
      },
      seen: (name: 'memory' | 'io') => {
        const seen = log.seen({ from: start, to: start + 30 * minute }, name);
        return typeof seen === 'string' ? seen : seen.runs;
      },
    };
  }

  test('minutes in a row are one run, also with two quiet ones between them', (context) => {
    const { pass, seen } = hostWith(context, ['memory', 'io']);
    for (let each = 0; each < 10; each++) pass({ io: 30 });
    assert.equal(seen('io'), 1);
    for (const io of [0, 0, 30, 0, 0, 0, 30]) pass({ io });
    assert.equal(seen('io'), 2);
    assert.equal(seen('memory'), 0);
  });

  test('a host that has left its fleet keeps no record', (context) => {
    const { pass, state } = hostWith(context, ['memory', 'io']);
    for (let each = 0; each < 11; each++) pass();
    assert.equal(existsSync(state), false);
    mkdirSync(state);
    for (let each = 0; each < 11; each++) pass();
    assert.equal(existsSync(`${state}/pressure.json`), true);
  });

  test('a kernel without a measure is without it, and the other one still counts', (context) => {
    const { pass, seen } = hostWith(context, ['memory']);
    pass({ memory: 30 });
    assert.equal(seen('io'), 'absent');
    assert.equal(seen('memory'), 1);
  });

  test('a measure that fails once makes the watch unknown, and never absent', (context) => {
    const { pass, skip, seen, file, log } = hostWith(context, ['memory', 'io']);
    pass();
    rmSync(file('io'));
    skip();
    assert.equal(seen('io'), 'unknown');
    assert.equal(seen('memory'), 0);
    pass();
    assert.equal(seen('io'), 'unknown');
    log.begin();
    pass();
    pass();
    assert.equal(seen('io'), 0);
  });

  test('earlier days are compared by their runs', () => {
    let slots: readonly PressureSlot[] = [];
    for (let each = 0; each < 40; each++) {
      const io = each < 12 || each === 20 || each === 25;
      slots = addMinute(slots, start + each * minute, { memory: false, io });
    }
    const watch = { from: start + day, to: start + day + 40 * minute };
    assert.deepEqual(pressedDays(slots, watch, 'io'), [3]);
    assert.deepEqual(pressedDays(slots, watch, 'memory'), [0]);
  });
});
