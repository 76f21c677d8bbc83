/**
 * Sites on the kernel of this machine: their cgroups, the processes in them, and tenants that resist.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { releaseAll } from '../../src/apply/apply.ts';
import type { Driver } from '../../src/host/driver.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { usesNoMoreThan } from './cpu-share.ts';
import { hostHere } from './host-here.ts';
import { mustApply } from './suite.ts';
import { launcher } from '../../testing/launcher.ts';

const instance = 'bulkhead-sites-test';
const here = hostHere(instance);
const [uid, reseller] = [64_231, 64_232];
const tenant = (inside: string) => `<tenant uid="${uid}">${inside}</tenant>`;
const site = (name: string, inside = '') => `<site name="${name}">${inside}</site>`;

if ('skip' in here) test('sites on the real kernel', { skip: here.skip }, () => {});
else suite(here.host, here.version);

function suite(host: Parameters<typeof releaseAll>[0], version: 1 | 2): void {
  const clear = () =>
    assert.deepEqual(releaseAll(host, { kill: true }), { ok: true, value: undefined });
  clear();
  // One for all: each keeps the mounts open, and states are asked for over and over.
  const probed = host.probe();
  assert.ok(probed.ok);
  const driver: Driver = probed.value;
  const files = () => {
    const hierarchy = driver.tree.hierarchies.find((each) => each.controllers.has('pids'));
    assert.ok(hierarchy);
    return hierarchy;
  };
  const pidsIn = (cgroup: string) =>
    (files().files.read(cgroup, 'cgroup.procs') ?? '').split('\n').filter(Boolean).map(Number);
  const counters = (cgroup: string) => {
    const found = driver.counters(cgroup);
    assert.ok(found, `${cgroup} is gone`);
    return found;
  };
  const words = (options: readonly string[], command: readonly string[]) => [
    '--instance',
    instance,
    ...options,
    String(uid),
    '--',
    ...command,
  ];
  const inside = (options: readonly string[], ...command: string[]): ChildProcess =>
    spawn(launcher, words(options, command), { stdio: 'ignore' });
  const run = (options: readonly string[], ...command: string[]) =>
    spawnSync(launcher, words(options, command), {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });
  /** Starts a process that runs as the tenant in the expected cgroup. */
  const settled = async (options: readonly string[], cgroup: string) => {
    const child = inside(options, 'sleep', '3600');
    await eventually(`it sleeps in ${cgroup}`, () => {
      assert.equal(child.exitCode ?? child.signalCode, null, 'it has ended');
      const isSleep = readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n';
      return isSleep && pidsIn(cgroup).includes(child.pid ?? 0);
    });
    return child.pid ?? 0;
  };
  const held = (title: string, body: () => Promise<void> | void) =>
    test(`${title} (kernel v${version})`, async () => {
      try {
        await body();
      } finally {
        clear();
      }
    });
  const main = `u${uid}/main`;
  const shop = `u${uid}/s-shop.example`;

  held('applyPolicy() ends no process when the first site comes or the last one goes', async () => {
    mustApply(tenant(''), host);
    const early = await settled([], `u${uid}`);
    mustApply(tenant(site('shop.example') + site('blog.example')), host);
    assert.deepEqual(pidsIn(main), [early]);
    const late = await settled([], main);
    const visit = await settled(['--site', 'shop.example'], shop);
    assert.deepEqual(driver.processes(`u${uid}`).toSorted(), [early, late, visit].toSorted());

    mustApply(tenant(site('blog.example')), host);
    assert.deepEqual(pidsIn(main).toSorted(), [early, late, visit].toSorted());
    assert.equal(files().files.exists(shop), false);

    mustApply(tenant(''), host);
    assert.deepEqual(pidsIn(`u${uid}`).toSorted(), [early, late, visit].toSorted());
    assert.equal(files().files.hasChildren(`u${uid}`), false);
    assert.deepEqual(mustApply(tenant(''), host).operations, []);
  });

  held('applyPolicy() moves processes of sites with their tenant to a reseller', async () => {
    const alone = tenant(site('shop.example'));
    mustApply(`${alone}<reseller uid="${reseller}"/>`, host);
    const visit = await settled(['--site', 'shop.example'], shop);
    const other = await settled([], main);
    mustApply(`<reseller uid="${reseller}">${alone}</reseller>`, host);
    assert.deepEqual(pidsIn(`r${reseller}/${shop}`), [visit]);
    assert.deepEqual(pidsIn(`r${reseller}/${main}`), [other]);
    assert.equal(files().files.exists(`u${uid}`), false);
    mustApply(tenant(''), host);
    assert.deepEqual(pidsIn(`u${uid}`).toSorted(), [visit, other].toSorted());
  });

  held('applyPolicy() limits a busy site and its tenant to their shares of a core', async () => {
    mustApply(tenant(`<cpu limit="12%"/>${site('shop.example', '<cpu limit="5%"/>')}`), host);
    const loop = ['sh', '-c', 'while :; do :; done'];
    const children = [inside(['--site', 'shop.example'], ...loop), inside([], ...loop)];
    const most = new Map([
      [shop, 0.08],
      [`u${uid}`, 0.17],
    ]);
    const [ofSite = NaN, ofTenant = NaN] = await usesNoMoreThan(most, counters);
    for (const child of children) child.kill('SIGKILL');
    assert.ok(ofTenant > ofSite, 'the tenant has not used what its site has');
  });

  held('counters() counts a process that the memory limit of its site ended', async () => {
    mustApply(tenant(site('shop.example', '<memory limit="48MiB"/>') + site('blog.example')), host);
    const neighbours = [
      await settled([], main),
      await settled(['--site', 'blog.example'], `u${uid}/s-blog.example`),
    ];
    const hog = run(
      ['--site', 'shop.example'],
      'sh',
      '-c',
      'head -c 200000000 /dev/zero | tail >/dev/null; echo survived $?',
    );
    assert.doesNotMatch(hog.stdout ?? '', /survived 0/);
    assert.ok(counters(shop).oomKills >= 1, 'no process was ended');
    assert.equal(counters(`u${uid}/s-blog.example`).oomKills, 0);
    for (const pid of neighbours) process.kill(pid, 0);
  });

  held('applyPolicy() limits the forks of a site, and not of its tenant', () => {
    mustApply(tenant(site('shop.example', '<processes limit="8"/>')), host);
    const storm = 'for i in $(seq 20); do sleep 3600 >/dev/null 2>&1 & done; exit 0';
    assert.match(run(['--site', 'shop.example'], 'sh', '-c', storm).stderr ?? '', /fork/i);
    assert.equal(run([], 'sh', '-c', storm).stderr, '');
    assert.ok(pidsIn(shop).length <= 8);
    assert.ok(pidsIn(main).length >= 20);
  });

  /** Chains: each process forks its successor and ends, so that none lives long enough to be moved. */
  const chains = 'fork for 1 .. 2; for (;;) { my $pid = fork; exit if $pid }';

  held('applyPolicy() divides and undivides a tenant that forks without end', async () => {
    const limit = '<processes limit="150"/>';
    mustApply(tenant(limit), host);
    inside([], 'perl', '-e', chains);
    await eventually('chains run', () => pidsIn(`u${uid}`).length >= 4);
    for (const inner of [site('shop.example'), '', site('shop.example') + site('blog.example')]) {
      mustApply(tenant(limit + inner), host);
      assert.equal(files().files.read(`u${uid}`, 'pids.max'), '150\n');
      const home = inner === '' ? `u${uid}` : main;
      await eventually('chains go on there', () => pidsIn(home).length >= 4);
      assert.deepEqual(mustApply(tenant(limit + inner), host).operations, []);
    }
  });

  held('applyPolicy() removes a site that forks without end, and moves its processes', async () => {
    const limit = '<processes limit="150"/>';
    const both = tenant(limit + site('shop.example') + site('blog.example'));
    mustApply(both, host);
    inside(['--site', 'shop.example'], 'perl', '-e', chains);
    await eventually('chains run', () => pidsIn(shop).length >= 4);
    mustApply(tenant(limit + site('blog.example')), host);
    assert.equal(files().files.exists(shop), false);
    await eventually('chains go on in the tenant', () => pidsIn(main).length >= 4);
  });

  held('bulkhead-exec starts processes that cannot leave their site', () => {
    mustApply(tenant(site('shop.example', '<processes limit="20"/>')), host);
    const { rootPath } = files();
    for (const path of [main, `u${uid}`, '', shop]) {
      const left = run(
        ['--site', 'shop.example'],
        'sh',
        '-c',
        `for f in cgroup.procs tasks; do echo 0 >"$1/$f"; done; mkdir "$1/own"; echo 999 >"$1/pids.max"; grep -c s-shop.example /proc/self/cgroup`,
        'sh',
        `${rootPath}/${path}`,
      );
      assert.match(left.stdout, /^[1-9]/, path);
      assert.equal(files().files.exists(`${path === '' ? '' : `${path}/`}own`), false);
    }
    assert.equal(files().files.read(shop, 'pids.max'), '20\n');
  });

  held('bulkhead-exec refuses a name that is not a site of the tenant', () => {
    mustApply(tenant(site('shop.example')), host);
    const names = [
      '..',
      '../main',
      '.',
      'shop.example/..',
      '',
      'Shop.example',
      'shop.example ',
      '*',
    ];
    for (const name of [...names, 'none.example', '-x', 'shop.exampl?', '$HOME']) {
      const entered = run(['--site', name], 'cat', '/proc/self/cgroup');
      assert.notEqual(entered.status, 0, name);
      assert.equal(entered.stdout, '', name);
      assert.match(entered.stderr, /name of a site|has no site/, name);
    }
    mustApply(tenant(''), host);
    assert.match(run(['--site', 'shop.example'], 'id').stderr, /has no site "shop.example"/);
  });

  held('bulkhead-exec enters sites, and the main part of divided tenants', () => {
    mustApply(tenant(site('shop.example')), host);
    for (const [options, name] of [
      [['--site', 'shop.example'], 's-shop.example'],
      [['--site=shop.example'], 's-shop.example'],
      [[], 'main'],
    ] as const) {
      const { stdout } = run(options, 'cat', '/proc/self/cgroup');
      const lines = stdout.split('\n').filter((line) => line.includes(instance));
      const isRight = (line: string) => line.endsWith(`/u${uid}/${name}`);
      assert.ok(lines.length > 0 && lines.every(isRight), stdout);
    }
  });

  held('bulkhead-exec enters sites with long names or names of cgroup files', async () => {
    const longest = `${`${'a'.repeat(63)}.`.repeat(3)}${'b'.repeat(61)}`;
    assert.equal(longest.length, 253);
    const names = [longest, 'cgroup.procs', 'main', 'memory.max', 'tasks', 'Xn--Bcher-kva.example'];
    mustApply(tenant(names.map((name) => site(name)).join('')), host);
    for (const name of names) {
      await settled(['--site', name.toLowerCase()], `u${uid}/s-${name.toLowerCase()}`);
    }
  });
}
