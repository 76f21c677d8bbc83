/** A policy that is read, refused and kept by the agent, as far as nothing is applied. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import pino from 'pino';
import { PolicyReconciler } from '../../src/agent/reconciler.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { outputOf, spawnScript } from '../../src/sys/processes/child-script.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { tenantMember } from '../../src/usage/member.ts';
import { policyOf } from '../conformance/suite.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const directory = suiteDirectory('reconciler');

const unknownUser = (user: string) =>
  `<bulkhead version="1">\n  <tenant user="${user}"/>\n</bulkhead>\n`;

describe('PolicyReconciler', () => {
  const reconcilerOf = (
    name: string,
    texts: { readonly file?: string; readonly kept?: string },
    log = pino({ level: 'silent' }),
  ) => {
    const state = join(directory, name);
    const file = join(state, 'policy.xml');
    mkdirSync(state);
    if (texts.file !== undefined) writeFileSync(file, texts.file);
    if (texts.kept !== undefined) writeFileSync(join(state, 'policy-in-force.xml'), texts.kept);
    const adopt = () => assert.fail('nothing can be applied');
    const paths = { ...pathsOf('bulkhead-reconciler'), state };
    return {
      file,
      reconciler: new PolicyReconciler(file, paths, log, adopt),
    };
  };

  test('refresh() reports a missing file as "absent"', async () => {
    const { reconciler } = reconcilerOf('absent', {});
    await reconciler.refresh();
    assert.equal(reconciler.state.state, 'absent');
    assert.match(reconciler.state.problems.join('\n'), /policy\.xml.*it does not exist/);
  });

  test('refresh() refuses an invalid file with all its errors', async () => {
    const { file, reconciler } = reconcilerOf('wrong', { file: unknownUser('nobody-here') });
    await reconciler.refresh();
    assert.equal(reconciler.state.state, 'refused');
    assert.deepEqual(reconciler.state.problems, [
      `${file}:2:17: error: There is no user "nobody-here" on this host`,
    ]);
  });

  test('refresh() says why the policy last in force no longer fits this host', async () => {
    const { reconciler } = reconcilerOf('kept', { file: '<bulk', kept: unknownUser('gone-since') });
    await reconciler.refresh();
    assert.equal(reconciler.state.state, 'refused');
    assert.match(reconciler.state.problems.at(-1) ?? '', /There is no user "gone-since"/);
    assert.match(reconciler.state.problems[0] ?? '', /policy\.xml:1:/);
  });

  test('refresh() puts errors before warnings, however many there are', async () => {
    const small = Array.from(
      { length: 60 },
      (_, index) => `<tenant uid="${64_300 + index}"><memory limit="${index + 4}MiB"/></tenant>`,
    ).join('');
    const text = `<bulkhead version="1">${small}<tenant user="nobody-here"/></bulkhead>`;
    const { reconciler } = reconcilerOf('warnings', { file: text, kept: text });
    await reconciler.refresh();
    const { state, problems } = reconciler.state;
    assert.equal(state, 'refused');
    assert.match(problems[0] ?? '', /error: There is no user "nobody-here"/);
    assert.match(
      problems[1] ?? '',
      /Cannot apply the policy that .*: There is no user "nobody-here"/,
    );
    assert.match(problems[2] ?? '', /warning: /);
    assert.equal(problems.length, 50);
  });

  test('tries a policy with unknown names again each minute, and logs nothing new', async (t) => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => lines.push(line) });
    const unknown = reconcilerOf('later', { file: unknownUser('nobody-here') }, log).reconciler;
    const wrong = reconcilerOf('broken', { file: '<bulk' }).reconciler;
    const kept = { file: '<bulk', kept: unknownUser('gone-since') };
    const before = reconcilerOf('kept-later', kept).reconciler;
    for (const each of [unknown, wrong, before]) await each.refresh();
    const wanting = () => [unknown, wrong, before].map(({ wantsRetry }) => wantsRetry);
    const real = performance.now();
    t.mock.method(performance, 'now', () => real - 1);
    assert.deepEqual(wanting(), [false, false, false]);
    t.mock.method(performance, 'now', () => real + 60_001);
    assert.deepEqual(wanting(), [true, false, true]);
    const logged = lines.length;
    assert.ok(logged > 0);
    const { state } = unknown;
    await unknown.refresh();
    assert.equal(lines.length, logged);
    assert.equal(unknown.state, state);
  });

  test('ends its child process when it is disposed of', async () => {
    const { reconciler } = reconcilerOf('ended', { file: unknownUser('nobody-here') });
    const { state } = reconciler.state;
    const refreshed = reconciler.refresh();
    reconciler[Symbol.dispose]();
    await refreshed;
    assert.equal(reconciler.state.state, state);
  });
});

test('MemberIndex.originOf() gives the line of a limit after structured cloning', () => {
  const policy = policyOf(`
    <defaults><memory limit="1GiB"/></defaults>
    <package name="small"><cpu limit="50%"/></package>
    <tenant uid="64201" package="small"/><tenant uid="64202" package="small"/>
    <tenant uid="64203"><processes limit="7"/></tenant>`);
  const received = deserialize(serialize(policy)) as Policy;
  assert.deepEqual(received, policy);
  assert.equal(received.tenants[0]?.values, received.tenants[1]?.values, 'they share no values');
  const memberIndex = new MemberIndex(received);
  const originOf = (uid: number, key: 'memory.limit' | 'cpu.limit' | 'processes.limit') =>
    memberIndex.originOf(tenantMember(uid), key);
  assert.equal(originOf(64_201, 'memory.limit'), 'test.xml:2 (defaults)');
  assert.equal(originOf(64_201, 'cpu.limit'), 'test.xml:3 (package small)');
  assert.equal(originOf(64_203, 'processes.limit'), 'test.xml:5 (tenant)');
  assert.equal(memberIndex.defaults['memory.limit'], 2 ** 30);
});

test('outputOf() ends a process that prints without end, and bounds its output', async () => {
  const script = join(directory, 'endless.mjs');
  writeFileSync(script, 'const more = () => process.stdout.write("x".repeat(1000), more); more();');
  const started = spawnScript(script);
  assert.ok(started.ok);
  const { stdout } = await outputOf(started.value, 100_000);
  assert.ok(stdout.length <= 100_000);
  assert.equal(started.value.killed, true);
});
