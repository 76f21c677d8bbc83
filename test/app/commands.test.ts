/** Commands about applications, and what others know of them, on a host without systemd as on one with it. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { appLayers } from '../../src/app/commands/layers.ts';
import type { ExplainJson } from '../../src/cli/commands/json.ts';
import { runsSystemd } from '../../src/host/cgroups/systemd-delegation.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const program = join(import.meta.dirname, '../../bulkhead');
const withoutSystemd = { skip: runsSystemd() ? 'systemd is the init here' : false };

function bulkhead(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return { status, out: stdout, err: stderr };
}

function usingPolicy(inside: string) {
  const directory = temporaryDirectory('app-commands');
  const file = `${directory.path}/policy.xml`;
  writeFileSync(file, `<bulkhead version="1">${inside}</bulkhead>\n`);
  return { file, [Symbol.dispose]: () => directory.remove() };
}

test('explain shows how many applications a tenant may define, and what allows that', () => {
  using policy = usingPolicy(
    '<defaults><apps max="3"/></defaults>\n<tenant uid="61001"><site name="a.example"/></tenant><tenant uid="61002"><apps max="0"/></tenant>',
  );
  const { file } = policy;
  const said = bulkhead('explain', '61001', '-p', file).out;
  assert.match(
    said,
    /^Applications: none in the policy; the tenant may define 3 itself \(defaults, \S+:1\)$/m,
  );
  assert.match(bulkhead('explain', '61002', '-p', file).out, /may define none itself \(the tenant/);
  assert.doesNotMatch(bulkhead('explain', '61001/a.example', '-p', file).out, /Applications/);
  const json = bulkhead('explain', '61001', '-p', file, '--json').out;
  const explained = jsonOf<ExplainJson>('explain', json);
  assert.ok('apps' in explained);
  assert.deepEqual(explained.apps, { policy: [], own: { max: 3, from: 'defaults', line: 1 } });
});

test('app log needs root, and no systemd; restart needs it', withoutSystemd, () => {
  using policy = usingPolicy('<tenant uid="61001"/>');
  const log = bulkhead('app', 'log', '61001/blog', '-p', policy.file);
  assert.deepEqual(
    [log.status, log.err],
    [
      1,
      'bulkhead: Cannot find the application "61001/blog": there is none of that name; "bulkhead app status" lists all of them, as TENANT/NAME\n',
    ],
  );
  const restart = bulkhead('app', 'restart', '61001/blog', '-p', policy.file);
  assert.match(restart.err, /systemd is not the init of this host/);
});

test('applications are a layer where there are any', withoutSystemd, async () => {
  const layers = async (inside: string) => {
    const { document } = parsePolicy('p.xml', `<bulkhead version="1">${inside}</bulkhead>`);
    assert.ok(document);
    const account = { user: 'u61001', uid: 61_001, gid: 61_001, home: '/nonexistent' };
    const policy = resolvePolicy(document, { accounts: [account], uidMin: 1000 });
    return appLayers({ policy, paths: pathsOf('bulkhead-test-none') } as Parameters<
      typeof appLayers
    >[0]);
  };
  assert.deepEqual(await layers('<tenant user="u61001"/>'), []);
  assert.deepEqual(await layers('<tenant user="u61001"><app name="a" command="x"/></tenant>'), [
    {
      key: 'applications',
      state: 'unavailable',
      reason: 'systemd is not the init of this host',
      reasons: [{ code: 'no systemd' }],
    },
  ]);
});

test('another account than root is told what it can do instead', (t) => {
  const asNobody = (...args: readonly string[]) =>
    spawnSync(program, args, { encoding: 'utf8', uid: 65_534, gid: 65_534, cwd: '/' });
  if (process.geteuid?.() !== 0) return t.skip('only root can start a process of another account');
  if (asNobody('--version').status !== 0) return t.skip('another account cannot read this tree');
  const cases = [
    [
      'app log alice/blog',
      /read the log of .*: only root may; use sudo; as its tenant, read .bulkhead/,
    ],
    [
      'app restart alice/blog',
      /change the .*: only root may; use sudo; as its tenant, use "bulkhead app/,
    ],
    ['digest preview alice', /^bulkhead: Cannot preview a digest: only root may; use sudo$/m],
    ['digest send', /^bulkhead: Cannot send digests: only root may; use sudo$/m],
  ] as const;
  for (const [words, expected] of cases) {
    const { status, stderr } = asNobody(...words.split(' '));
    assert.deepEqual([words, status], [words, 1]);
    assert.match(stderr, expected);
  }
});
