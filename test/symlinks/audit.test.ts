/** Real homes with real links, read by the processes that read them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import '../../testing/guard/here.ts';
import { alice, bob, needsRoot, Stage } from './stage.ts';

const options = { skip: needsRoot };

test(
  "auditHomes() finds each kind of link to others' files, and none to a tenant's own",
  options,
  async () => {
    using stage = new Stage();
    stage.file(join(stage.alice, 'own'), alice);
    stage.file(join(stage.bob, 'config'), bob, 0o600);
    stage.directory(join(stage.alice, 'www'), alice);
    const at = (name: string) => join(stage.alice, 'www', name);
    stage.link('../own', at('own'), alice);
    stage.link('missing', at('missing'), alice);
    stage.link(join(stage.alice, 'own'), at('own-absolute'), alice);
    stage.link('../../bob/config', at('relative'), alice);
    stage.link(join(stage.bob, 'config'), at('absolute'), alice);
    stage.link(join(stage.bob, 'later'), at('later'), alice);
    stage.link('/etc/shadow', at('shadow'), alice);
    stage.link('/', at('all'), alice);
    stage.link('/usr', at('usr'), alice);
    stage.link('/proc/self/environ', at('environ'), alice);
    stage.link('relative', at('chain'), alice);
    stage.link('loop', at('loop'), alice);
    stage.link('/etc/passwd', at('by-root'), 0);
    const { findings, problems, entries, links, homes } = await stage.audit();
    const found = Object.fromEntries(
      findings.map((each) => [each.path.replace(`${stage.alice}/www/`, ''), each.severity]),
    );
    assert.deepEqual(found, {
      relative: 'high',
      absolute: 'high',
      chain: 'high',
      all: 'high',
      shadow: 'high',
      later: 'medium',
      environ: 'medium',
      usr: 'low',
      'by-root': 'low',
    });
    assert.deepEqual(problems, []);
    assert.deepEqual({ entries, links, homes }, { entries: 16, links: 13, homes: 2 });
    const chain = findings.find((each) => each.path.endsWith('/chain'));
    assert.equal(chain?.target, 'relative');
    assert.equal(chain?.leadsTo, join(stage.bob, 'config'));
    assert.equal(chain?.reason, 'it leads into the home of bob');
  },
);

test('auditHomes() finds hard links, and the other name of each', options, async () => {
  using stage = new Stage();
  const theirs = stage.file(join(stage.bob, 'config'), bob, 0o600);
  linkSync(theirs, join(stage.alice, 'second'));
  const system = stage.file(join(stage.root, 'program'), 0);
  chmodSync(system, 0o4755);
  linkSync(system, join(stage.alice, 'old-sudo'));
  const own = stage.file(join(stage.alice, 'own'), alice);
  linkSync(own, join(stage.alice, 'own-again'));
  stage.file(join(stage.alice, 'made-by-root'), 0);
  for (const processes of [1, 2]) {
    const { findings } = await stage.audit({}, { processes });
    assert.deepEqual(
      findings.map(({ kind, severity, path, target, targetOwner }) => ({
        kind,
        severity,
        path,
        target,
        targetOwner,
      })),
      [
        {
          kind: 'hard link',
          severity: 'high',
          path: join(stage.alice, 'old-sudo'),
          target: undefined,
          targetOwner: 0,
        },
        {
          kind: 'hard link',
          severity: 'high',
          path: join(stage.alice, 'second'),
          target: theirs,
          targetOwner: bob,
        },
      ],
    );
  }
  assert.deepEqual((await stage.audit({ hardLinks: false })).findings, []);
});

test("auditHomes() finds second names of others' links and pipes", options, async () => {
  using stage = new Stage();
  const file = stage.file(join(stage.bob, 'file'), bob);
  stage.link(file, join(stage.bob, 'current'), bob);
  linkSync(join(stage.bob, 'current'), join(stage.alice, 'link'));
  execFileSync('mkfifo', [join(stage.bob, 'pipe')]);
  chownSync(join(stage.bob, 'pipe'), bob, bob);
  linkSync(join(stage.bob, 'pipe'), join(stage.alice, 'pipe'));
  assert.deepEqual(
    (await stage.audit()).findings.map(({ path, severity, reason }) => [path, severity, reason]),
    [
      [join(stage.alice, 'link'), 'high', 'it is a second name of a link of bob'],
      [join(stage.alice, 'pipe'), 'high', 'it is a second name of a file of bob'],
    ],
  );
  // Whatever it leads to.
  stage.link(stage.file(join(stage.alice, 'own'), alice), join(stage.bob, 'to-alice'), bob);
  linkSync(join(stage.bob, 'to-alice'), join(stage.alice, 'second'));
  const { findings } = await stage.audit();
  assert.deepEqual(
    findings.find(({ path }) => path === join(stage.alice, 'second'))?.reason,
    'it is a second name of a link of bob',
  );
});

test("auditHomes() treats subordinate uids as the tenant's own", options, async () => {
  using stage = new Stage();
  const file = stage.file(join(stage.root, 'of-container'), 620_500);
  stage.link(file, join(stage.alice, 'link'), alice);
  linkSync(file, join(stage.alice, 'second'));
  assert.equal((await stage.audit()).findings.length, 2);
  const homes = stage
    .accounts()
    .homes.map((each) =>
      each.uid === alice ? { ...each, ranges: [[620_000, 621_000] as const] } : each,
    );
  assert.deepEqual((await stage.audit({ homes })).findings, []);
});

test('auditHomes() reads a home below another for its own tenant only', options, async () => {
  using stage = new Stage();
  const inner = stage.directory(join(stage.alice, 'inner'), bob);
  const file = stage.file(join(inner, 'file'), bob);
  stage.link(file, join(inner, 'own'), bob);
  stage.link(file, join(stage.alice, 'link'), alice);
  const homes = stage
    .accounts()
    .homes.map((each) => (each.uid === bob ? { ...each, path: inner } : each));
  const { findings, entries } = await stage.audit({ homes });
  assert.deepEqual(
    findings.map((each) => [each.path, each.reason]),
    [[join(stage.alice, 'link'), 'it leads into the home of bob']],
  );
  assert.equal(entries, 4);
});

test(
  'auditHomes() skips and reports homes that are links, missing, or system directories',
  options,
  async () => {
    using stage = new Stage();
    symlinkSync(stage.alice, join(stage.root, 'by-root'));
    stage.link(stage.alice, join(stage.bob, 'by-tenant'), bob);
    const paths = [
      join(stage.root, 'by-root'),
      join(stage.bob, 'by-tenant'),
      '/',
      '/usr/share',
      join(stage.root, 'missing'),
      '/proc/self',
    ];
    const homes = paths.map((path, index) => ({ uid: alice + index, path, ranges: [] }));
    const { problems } = await stage.audit({ homes });
    assert.deepEqual(
      problems.map(({ path, cause, kind }) => [path, cause.reason, kind]).sort(),
      [
        ['/', 'it is a directory of the system', 'skipped'],
        ['/proc/self', 'it is a directory of the system', 'skipped'],
        ['/usr/share', 'it is a directory of the system', 'skipped'],
        [join(stage.bob, 'by-tenant'), 'on its path is a link that root did not make', 'unread'],
        [join(stage.root, 'missing'), 'it does not exist', 'skipped'],
      ].sort(),
    );
  },
);

test('auditHomes() keeps names that are not UTF-8', options, async () => {
  using stage = new Stage();
  const name = Buffer.from('/bad\xff\n\x1b[2J', 'latin1');
  const target = Buffer.concat([Buffer.from(stage.bob), name]);
  stage.link(target, Buffer.concat([Buffer.from(stage.alice), name]), alice);
  const [finding] = (await stage.audit()).findings;
  assert.equal(finding?.path, `${stage.alice}/bad\xff\n\x1b[2J`);
  assert.equal(finding?.target, `${stage.bob}/bad\xff\n\x1b[2J`);
  assert.equal(finding?.severity, 'medium');
});

test('auditHomes() returns at most findingsMax findings, and counts all', options, async () => {
  using stage = new Stage();
  for (let index = 0; index < 30; index++)
    stage.link(stage.bob, join(stage.alice, `link${index}`), alice);
  const { findings, found } = await stage.audit({ findingsMax: 10 });
  assert.equal(findings.length, 10);
  assert.equal(found.high, 30);
});

test('auditHomes() continues when a home is replaced meanwhile', options, async () => {
  using stage = new Stage();
  // The list of homes is made once; the second one is replaced while the first is read.
  for (let index = 0; index < 600; index++) stage.file(join(stage.alice, `f${index}`), alice);
  let replaced = false;
  const { homes } = await stage.audit(
    {},
    {
      processes: 1,
      progress: () => {
        if (replaced) return;
        replaced = true;
        renameSync(stage.bob, `${stage.bob}.old`);
        mkdirSync(stage.bob);
      },
    },
  );
  assert.equal(homes, 2);
});
