/** The cgroups of a real PHP-FPM's workers after real requests, on this kernel. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { releaseAll } from '../../src/apply/apply.ts';
import type { Host } from '../../src/host/host.ts';
import { surveyWeb, type TenantFacts } from '../../src/web/io/survey.ts';
import { tenancyOf } from '../../src/web/commands/tenancy.ts';
import { freePort } from '../../testing/free-port.ts';
import { eventually } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { hostHere } from '../conformance/host-here.ts';
import { mustApply, policyOf } from '../conformance/suite.ts';
import { phpVhost, siteNamed, uids, WebStage } from './stage.ts';

const instance = 'bulkhead-web-test';
const account = 'bh-web-test';
const here = hostHere(instance);
const ready = await ensurePrerequisites('web', (line) => console.log(`# ${line}`));
const reason = 'skip' in here ? here.skip : ready.ok ? undefined : ready.reason;
const entry = fileURLToPath(new URL('../../bulkhead', import.meta.url));

if ('skip' in here || reason !== undefined)
  test('surveyWeb() of placed workers', { skip: reason ?? true }, () => {});
else suite(here.host);

function suite(host: Host): void {
  const body = Object.values(uids)
    .map((uid) => `<tenant uid="${uid}"/>`)
    .join('');
  const removeAccount = () => spawnSync('userdel', [account]);
  let stage: WebStage;
  before(() => {
    removeAccount(); // A run that was killed may have left it.
    const user = ['-u', String(uids.account), '-M', '-N', '-d', '/', '-s', '/bin/sh', '-p', '*'];
    execFileSync('useradd', [...user, account]);
    stage = new WebStage();
    mustApply(body, host);
  });
  afterEach(() => stage.clear());
  after(async () => {
    stage.remove();
    await eventually('the cgroups are removed', () => releaseAll(host, { kill: true }).ok);
    for (const path of [host.paths.runtime, host.paths.state])
      rmSync(path, { recursive: true, force: true });
    removeAccount();
  });

  const at = (path: string) => stage.at(path);
  const tenancy = (more: Partial<TenantFacts> = {}): TenantFacts => ({
    ...tenancyOf(host.paths, policyOf(body)),
    ...more,
  });

  test('surveyWeb() counts workers of a root master as outside, and as inside once they are moved', async () => {
    const port = await freePort();
    const owned = stage.documents('owner', uids.owner);
    const shared = stage.documents('other', uids.other);
    stage.writeNginx();
    const sites = [
      phpVhost('owner.example', port, owned, at('owner.sock')),
      phpVhost('other.example', port, shared, at('www.sock')),
      `server { listen 127.0.0.1:${port}; server_name static.example; root /usr/share; }`,
    ];
    stage.write('sites/all.conf', sites.join('\n'));
    stage.writeFpm();
    stage.write('pools/a.conf', stage.pool('owner', uids.owner));
    stage.write('pools/b.conf', stage.pool('www', 'www-data'));

    const before = await surveyWeb(stage.programs(), tenancy({ agentRuns: true }));
    assert.deepEqual(
      before.servers.flatMap(({ problems }) => problems),
      [],
    );
    assert.equal(siteNamed(before.sites, 'owner.example').placed.kind, 'not running');

    stage.start(stage.php.program, '-F', '-y', at('fpm.conf'));
    stage.start('/usr/sbin/nginx', '-c', at('nginx.conf'));
    const worker = await stage.ask('owner.example', port);
    await stage.ask('other.example', port);

    const view = async (more: Partial<TenantFacts> = {}) =>
      (await surveyWeb(stage.programs(), tenancy(more))).sites;
    const caught = siteNamed(await view({ agentRuns: true }), 'owner.example');
    assert.deepEqual(caught.owner?.uid, uids.owner);
    assert.deepEqual(caught.handledBy, [`FPM ${stage.php.php} owner`]);
    assert.equal(caught.placed.kind, 'caught');
    assert.deepEqual(caught.placed.seen, {
      masters: 1,
      mastersInside: 0,
      workers: 2,
      workersInside: 0,
    });
    const alone = siteNamed(await view(), 'owner.example').placed;
    assert.deepEqual(
      [alone.kind, alone.reason],
      ['not covered', 'no agent runs that would move its processes'],
    );

    const driver = host.probe();
    assert.ok(driver.ok);
    for (const { rootPath } of driver.value.tree.hierarchies)
      writeFileSync(`${rootPath}/u${uids.owner}/cgroup.procs`, String(worker));
    const moved = siteNamed(await view({ agentRuns: true }), 'owner.example').placed;
    assert.deepEqual(moved.seen, { masters: 1, mastersInside: 0, workers: 2, workersInside: 1 });

    const other = siteNamed(await view({ agentRuns: true }), 'other.example');
    assert.deepEqual([other.owner?.by, other.owner?.uid], ['directory', uids.other]);
    assert.deepEqual(
      [other.placed.kind, other.placed.reason],
      ['not covered', 'it runs as www-data'],
    );
    const files = siteNamed(await view(), 'static.example');
    assert.deepEqual([files.owner, files.handledBy], [undefined, ['static']]);
  });

  test('surveyWeb() reports a master that "bulkhead exec" started as at source', async () => {
    const port = await freePort();
    const root = stage.documents('own', uids.account);
    stage.writeNginx();
    stage.write('sites/own.conf', phpVhost('own.example', port, root, at('run/own.sock')));
    mkdirSync(at('run'));
    chownSync(at('run'), uids.account, uids.account);
    const listen = `[own]\nuser = ${account}\ngroup = users\nlisten = ${at('run/own.sock')}\nlisten.mode = 0666\n`;
    stage.write(
      'fpm.conf',
      `[global]\nerror_log = ${at('run/log')}\ninclude = ${at('pools')}/*.conf\n`,
    );
    stage.write('pools/own.conf', `${listen}pm = static\npm.max_children = 1\n`);
    const exec = ['--instance', instance, 'exec', account, '--'];
    stage.start(entry, ...exec, stage.php.program, '-F', '-y', at('fpm.conf'));
    stage.start('/usr/sbin/nginx', '-c', at('nginx.conf'));
    await stage.ask('own.example', port);
    const { sites, poolFindings } = await surveyWeb(stage.programs(), tenancy());
    const { owner, placed } = siteNamed(sites, 'own.example');
    assert.deepEqual([owner?.by, owner?.name], ['pool', account]);
    assert.equal(placed.kind, 'at source');
    assert.deepEqual(placed.seen, { masters: 1, mastersInside: 1, workers: 1, workersInside: 1 });
    // The tenant can replace its socket.
    assert.match(poolFindings[0]?.message ?? '', new RegExp(`in a directory of ${account}`));
  });
}
