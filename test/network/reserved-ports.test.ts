/** Reserved ports: the lists, and the kernel's own file in network namespaces. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { pathsOf } from '../../src/host/paths.ts';
import {
  formatPorts,
  leavesTooFew,
  mergePorts,
  parsePortRange,
  parsePorts,
} from '../../src/network/core/reserved-ports.ts';
import { reservePorts, unreservedPorts } from '../../src/network/io/reserved-ports.ts';

suite('lists of reserved ports', () => {
  test('they are printed as the kernel prints them', () => {
    for (const text of ['', '1', '1-65535', '80,443', '7001-7010,8080'])
      assert.equal(formatPorts(parsePorts(text)!).join(','), text);
  });

  test('other texts are refused', () => {
    for (const text of ['x', '1-', '-1', '2-1', '65536', '1;2', '1 2'])
      assert.equal(parsePorts(text), undefined, text);
  });

  test("the administrator's stay, and are never ours", () => {
    const ports = (...all: number[]) => new Set(all);
    const first = mergePorts(ports(80, 7001), ports(), ports(7001, 7002));
    assert.deepEqual(first, { all: ports(80, 7001, 7002), ours: ports(7002) });
    assert.deepEqual(mergePorts(first.all, first.ours, ports()), {
      all: ports(80, 7001),
      ours: ports(),
    });
    // Somebody has written the list anew, without ours.
    assert.deepEqual(mergePorts(ports(9000), ports(7002), ports(7002)), {
      all: ports(9000, 7002),
      ours: ports(7002),
    });
  });
});

const stage = fileURLToPath(new URL('reserved-ports-stage.ts', import.meta.url));
const skip = process.getuid?.() === 0 ? false : 'only root makes network namespaces';

suite('reserved ports of the kernel', { skip }, () => {
  /** Runs steps in a network namespace of their own: `set TEXT`, `reserve RANGES`. Returns the list after each. */
  const inNamespace = (steps: readonly string[]): readonly string[] => {
    const state = mkdtempSync(join(tmpdir(), 'bulkhead-ports-'));
    try {
      const words = ['--net', process.execPath, stage, state, ...steps];
      const { status, stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      assert.equal(existsSync(`${state}/network/reserved-ports`), false, 'the record is left');
      return stdout.trimEnd().split('\n');
    } finally {
      rmSync(state, { recursive: true });
    }
  };

  test('they are merged, follow the policy, and only ours are removed', () => {
    assert.deepEqual(
      inNamespace([
        'set 80,7005',
        'reserve 7001-7010',
        'reserve 7001-7003',
        'set 9000',
        'reserve 7001-7003',
        'reserve ',
      ]),
      ['80,7005', '80,7001-7010', '80,7001-7003,7005', '9000', '7001-7003,9000', '9000'],
    );
  });

  test('ports that programs of the host need for their connections are not used up', () => {
    const range = parsePortRange('32768\t60999\n')!;
    const many = (count: number) => new Set(Array.from({ length: count }, (_, at) => 32_768 + at));
    assert.equal(leavesTooFew(many(14_116), range), false);
    assert.equal(leavesTooFew(many(14_117), range), true);
    assert.equal(leavesTooFew(new Set([1, 2, 3]), range), false);
    assert.throws(
      () => inNamespace(['set 80', 'reserve 40000-59999']),
      /less than half of the ports from \d+ to \d+ would be left/,
    );
  });

  test('a list of more than a page reaches the kernel whole', () => {
    const many = Array.from({ length: 5000 }, (_, at) => 10_000 + at * 2).join(',');
    assert.deepEqual(inNamespace(['set 80', `reserve ${many}`, 'reserve ']), [
      '80',
      `80,${many}`,
      '80',
    ]);
  });

  test('a setting that cannot be written is reported, and nothing is lost', () => {
    const state = mkdtempSync(join(tmpdir(), 'bulkhead-ports-'));
    try {
      const paths = { ...pathsOf('bulkhead-test'), state, proc: `${state}/proc` };
      const [missing] = reservePorts(paths, [{ first: 7001, last: 7002 }]);
      assert.match(
        formatProblem(missing!),
        /Cannot read .*ip_local_reserved_ports": it does not exist/,
      );
      assert.equal(unreservedPorts(paths, [{ first: 1, last: 2 }]), undefined);
      assert.deepEqual(reservePorts(paths, []), []);
    } finally {
      rmSync(state, { recursive: true });
    }
  });

  test('a damaged record is reported', () => {
    const state = mkdtempSync(join(tmpdir(), 'bulkhead-ports-'));
    try {
      const paths = { ...pathsOf('bulkhead-test'), state };
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      assert.deepEqual(reservePorts(paths, []), []);
      spawnSync('install', ['-d', '-m', '700', `${state}/network`]);
      writeFileSync(`${state}/network/reserved-ports`, `${boot} what`);
      assert.match(formatProblem(reservePorts(paths, [])[0]!), /it is damaged/);
    } finally {
      rmSync(state, { recursive: true });
    }
  });
});
