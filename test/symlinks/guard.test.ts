/** The symlink guard's rule, and `<symlinks>` in the policy. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../src/agent/log.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import {
  guardMapEntries,
  ruleOf,
  sameRule,
  guardSelfTestEntry,
  type GuardRule,
} from '../../src/symlinks/core/guard/rule.ts';
import { GuardPart } from '../../src/symlinks/io/guard/guard-part.ts';
import { parseGroups } from '../../src/host/accounts/groups.ts';
import { resolveRule } from '../../src/symlinks/io/guard/names.ts';
import { selfTestGroup } from '../../src/symlinks/io/guard/self-test.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const rule: GuardRule = {
  mode: 'watch',
  subjects: [
    { kind: 'group', id: 33 },
    { kind: 'user', id: 33 },
  ],
  trusted: [0, 1000],
  targets: [0],
};

suite('ruleOf() and selfTestGroup()', () => {
  test('ruleOf() reads the rule back from the map entries that guardMapEntries() made', () => {
    const group = selfTestGroup('0mwxbwurs-0123456789ab');
    const entries = [guardSelfTestEntry(group), ...guardMapEntries(rule)];
    const of = (map: string) => entries.filter((each) => each.map === map);
    const back = ruleOf(of('subjects'), of('owners'), group);
    assert.ok(sameRule(back, rule), JSON.stringify(back));
    assert.ok(!sameRule({ ...back, mode: 'on' }, rule));
    assert.ok(!sameRule({ ...back, trusted: [0] }, rule));
  });

  test('selfTestGroup() returns another gid for each generation, outside those of accounts', () => {
    const groups = ['0mwxbwurs', '0mwxbwurt', '0zzzzzzzz'].map(selfTestGroup);
    assert.equal(new Set(groups).size, groups.length);
    for (const each of groups) assert.ok(each >= 0xf000_0000 && each < 0xffff_fff0, String(each));
  });
});

suite('<symlinks>', () => {
  const parsed = (attributes: string) => {
    const { document, diagnostics } = parsePolicy(
      'p.xml',
      `<bulkhead version="1"><symlinks follow="owner-match" ${attributes}/></bulkhead>`,
    );
    return {
      rule: document?.symlinks?.rule,
      errors: diagnostics.list.map(({ message }) => message),
    };
  };

  test('parsePolicy() trusts root unless trust is set', () => {
    assert.deepEqual(parsed('by="www-data, nginx"').rule, {
      by: ['www-data', 'nginx'],
      trust: ['root'],
      targets: [],
    });
    assert.deepEqual(parsed('by="w" trust="none" targets="root app"').rule, {
      by: ['w'],
      trust: [],
      targets: ['root', 'app'],
    });
  });

  test('parsePolicy() refuses to restrict root', () => {
    assert.match(parsed('by="root"').errors.join(), /root cannot be restricted/);
  });

  test('resolveRule() resolves names of users, groups or both', () => {
    using scratch = temporaryDirectory('symlinks');
    const etc = scratch.path;
    writeFileSync(`${etc}/passwd`, 'root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n');
    writeFileSync(`${etc}/group`, 'root:x:0:\nweb:x:34:\nftp:x:50:\n');
    const paths = { ...pathsOf(), etc };
    const resolve = (...by: readonly string[]) =>
      resolveRule({ by, trust: ['root'], targets: [] }, 'on', paths);
    const resolved = resolve('web', 'ftp');
    assert.deepEqual(resolved.ok && resolved.value.subjects, [
      { kind: 'group', id: 34 },
      { kind: 'user', id: 33 },
      { kind: 'group', id: 50 },
    ]);
    assert.equal(resolve('no-such-account').ok, false);
    assert.equal(resolve('root').ok, false);
  });

  test('GuardPart raises an alarm while the guard cannot be enabled, and none when its mode is off', async () => {
    using scratch = temporaryDirectory('symlinks');
    const root = scratch.path;
    for (const each of ['etc', 'lib', 'run', 'sys']) mkdirSync(join(root, each));
    writeFileSync(`${root}/etc/passwd`, 'web:x:33:33::/:/bin/sh\n');
    writeFileSync(`${root}/etc/group`, 'web:x:33:\n');
    const paths = {
      ...pathsOf(),
      etc: `${root}/etc`,
      state: `${root}/lib`,
      runtime: `${root}/run`,
      sys: `${root}/sys`,
    };
    let now = 0;
    const errors: string[] = [];
    const log = { info: () => {}, error: (line: string) => errors.push(line) } as unknown as Log;
    const problem = { action: 'enable the symlink guard', reason: 'this kernel cannot' };
    const part = new GuardPart(
      paths,
      log,
      () => Promise.resolve({ ok: false, error: problem }),
      () => now,
    );
    const text = '<bulkhead version="1"><symlinks follow="owner-match" by="web"/></bulkhead>';
    const { document } = parsePolicy('p.xml', text);
    assert.ok(document);
    const minute = async () => {
      now += 600_000;
      part.afterTick();
      await new Promise((resolve) => setImmediate(resolve));
      return part.takeAlarms();
    };
    part.adopt(resolvePolicy(document, { accounts: [], uidMin: 1000 }));
    const [alarm, ...more] = await minute();
    assert.deepEqual([alarm?.about, more], ['symlink guard', []]);
    assert.match(alarm?.text ?? '', /Cannot enable the symlink guard: this kernel cannot/);
    assert.equal((await minute()).length, 1, 'as long as it lasts');
    assert.equal(errors.length, 1);
    writeFileSync(`${root}/lib/symlinks-guard.json`, '{"mode":"off"}');
    assert.deepEqual(await minute(), []);
  });

  test('parseGroups() uses the first group of a name', () => {
    assert.deepEqual([...parseGroups('a:x:1:\na:x:2:\nbroken\nb:x:no:\n')], [['a', 1]]);
  });
});
