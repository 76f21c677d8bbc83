/** Tenants and resellers set limits of sites through a real agent, each as its own uid, on the kernel of this machine. */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { ErrorResponse, SetLimitsResponse } from '../../src/agent/api/api.ts';
import { releaseAll } from '../../src/apply/apply.ts';
import type { Explanation } from '../../src/policy/explain.ts';
import { eventually } from '../../testing/patience.ts';
import { hostHere } from '../conformance/host-here.ts';
import { program, RunningAgent } from './running-agent.ts';
import {
  instance,
  alice,
  bob,
  stranger,
  reseller,
  policy,
  allowed,
  sites,
  runAs,
  type Ran,
} from './site-limit-tenants.ts';

const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;

describe('site limits set by tenants and resellers', { skip }, () => {
  let agent: RunningAgent;
  const children: ChildProcess[] = [];

  before(async () => {
    if ('skip' in here) return;
    agent = new RunningAgent(here.host);
    rmSync(here.host.paths.state, { recursive: true, force: true });
    agent.writePolicy(policy(allowed));
    await agent.start();
  });
  after(async () => {
    for (const each of children) each.kill('SIGKILL');
    await agent[Symbol.asyncDispose]();
  });

  const post = (uid: number, name: string, query: string) =>
    agent.ask(`/v1/tenants/${encodeURIComponent(name)}/limits?${query}`, uid, 'POST');
  const set = async (uid: number, name: string, query: string) => {
    const reply = await post(uid, name, query);
    return reply.status === 200
      ? reply.json<SetLimitsResponse>().state
      : `${reply.status} ${reply.json<ErrorResponse>().reason}`;
  };
  const explained = async (uid: number, name: string) =>
    (await agent.ask(`/v1/tenants/${encodeURIComponent(name)}/limits`, uid)).json<Explanation>();
  const limit = async (name: string, uid: number, site: string) =>
    (await explained(uid, site)).limits.find((each) => each.limit === name);
  const driver = () => {
    const probed = agent.host.probe();
    assert.ok(probed.ok);
    return probed.value;
  };
  const pidsMax = (cgroup: string) =>
    driver()
      .tree.hierarchies.find((each) => each.controllers.has('pids'))
      ?.files.read(cgroup, 'pids.max')
      ?.trim();
  /** Returns the kernel's value for a site of alice's. */
  const processesMax = (site: string) => pidsMax(`u${alice}/s-${site}`);
  const kept = () => `${agent.host.paths.state}/site-limits`;

  test('set, explain and unset by a tenant change a limit in the kernel', async () => {
    const done = await runAs(alice, 'set', 'blog.example', 'processes=7', 'cpu.weight=300');
    assert.equal(done.stderr, '');
    assert.match(done.stdout, /^Changed site "uid 880041\/blog\.example"; it is in force$/m);
    assert.equal(processesMax('blog.example'), '7');
    assert.match(
      agent.log,
      /Its tenant has changed limits of uid 880041.blog\.example: processes\.limit 7, cpu\.weight 300/,
    );
    assert.equal(statSync(kept()).mode & 0o777, 0o700);
    const shown = await runAs(alice, 'explain', 'blog.example');
    assert.match(shown.stdout, /^processes limit +7 +set by uid 880041 *$/m);
    const ofRoot = await new Promise<string>((resolve) => {
      const words = ['--instance', instance, 'explain', '--by-tenants', '-p', agent.policyFile];
      execFile(program, words, (_error, stdout) => resolve(stdout));
    });
    assert.match(ofRoot, /^uid 880041\/blog\.example +processes limit +7 +uid 880041 +in force$/m);
    const unset = await runAs(alice, 'unset', `${alice}/blog.example`, 'processes');
    assert.equal(unset.status, 0, unset.stderr);
    assert.equal(processesMax('blog.example'), 'max');
    assert.equal((await limit('cpu weight', alice, 'blog.example'))?.value, '300');
  });

  test("the agent refuses limits above the tenant's, the administrator's and others'", async () => {
    assert.match(
      await set(alice, 'blog.example', 'set=memory=101MiB'),
      /^400 memory limit is above/,
    );
    assert.match(await set(alice, 'blog.example', 'set=memory=unlimited'), /is above your own/);
    assert.match(
      await set(alice, 'shop.example', 'set=cpu=10%25'),
      /^400 the administrator has set/,
    );
    assert.match(
      await set(alice, 'shop.example', 'set=cpu=90%25'),
      /^400 the administrator has set/,
    );
    for (const key of ['disk.space=1GiB', 'entries=1', 'network.send=1MiB/s'])
      assert.match(await set(alice, 'blog.example', `set=${key}`), /^400 only the administrator/);
    assert.match(await set(alice, 'blog.example', 'set=package=p'), /^400 only the administrator/);
    assert.match(await set(alice, `${alice}`, 'set=cpu=10%25'), /^403 only the administrator/);
    for (const foreign of [`${bob}/bob.example`, '../x', ''])
      assert.match(await set(alice, foreign, 'set=cpu=10%25'), /^404/, foreign);
    // Only the policy makes sites on cgroup v1; on v2 no web server has these for her.
    for (const unknown of ['bob.example', 'none.example'])
      assert.match(
        await set(alice, unknown, 'set=cpu=10%25'),
        /^403 the policy does not have it|^404 the policy has no such site/,
        unknown,
      );
    assert.match(await set(bob, 'bob.example', 'set=cpu=10%25'), /^403 the administrator does not/);
    // A reseller sees its tenants' sites, and changes nothing without being allowed to.
    assert.match(
      await set(reseller, `${bob}/bob.example`, 'set=cpu=10%25'),
      /^403 the administrator does not let you set limits of sites of your tenants/,
    );
    assert.match(await set(stranger, `${alice}/blog.example`, 'set=cpu=10%25'), /^404/);
    assert.match(
      await set(0, `${alice}/blog.example`, 'set=cpu=10%25'),
      /^403 the administrator sets/,
    );
    assert.deepEqual(readdirSync(kept()), [`${alice}.json`]);
  });

  test('set --dry-run changes nothing, and set --no-apply is a usage error', async () => {
    const dry = await runAs(alice, 'set', 'blog.example', 'processes=9', '--dry-run');
    assert.match(dry.stdout, /^Would change site/);
    assert.equal(processesMax('blog.example'), 'max');
    const unapplied = await runAs(alice, 'set', 'blog.example', 'processes=9', '--no-apply');
    assert.equal(unapplied.status, 2);
  });

  test('the agent refuses a memory limit below use, and keeps the old one', async () => {
    // This memory cannot be reclaimed to a disk.
    const script = 'head -c 60000000 /dev/zero | tail; sleep 3600';
    const words = ['--instance', instance, 'exec', '--site', 'blog.example', `${alice}`, '--'];
    children.push(
      spawn(program, [...words, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'ignore'] }),
    );
    const site = `u${alice}/s-blog.example`;
    const inUse = () => driver().memoryInUse(site) ?? 0;
    // The pipe is read by nobody, so that what it holds stays.
    await eventually('it uses memory', () => inUse() > 50 * 2 ** 20);
    assert.match(await set(alice, 'blog.example', 'set=memory=5MiB'), /^409 .*in use/);
    assert.notEqual((await limit('memory limit', alice, 'blog.example'))?.value, '5MiB');
    assert.equal((await agent.status()).policy.state, 'in force', 'nothing is left to be retried');
    for (const each of children) each.kill('SIGKILL');
  });

  test('limits set by a tenant survive a killed agent and an apply', async () => {
    assert.equal(await set(alice, 'blog.example', 'set=processes=11'), 'in force');
    await agent.stop('SIGKILL');
    const applied = await new Promise<Ran>((resolve) =>
      execFile(
        program,
        ['--instance', instance, 'apply', '-p', agent.policyFile],
        (error, stdout, stderr) =>
          resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
      ),
    );
    assert.equal(applied.status, 0, applied.stderr);
    assert.equal(processesMax('blog.example'), '11');
    const noAgent = await runAs(alice, 'set', 'blog.example', 'processes=12');
    assert.equal(noAgent.status, 1);
    assert.match(noAgent.stderr, /no agent is running; ask the administrator to start it/);
    await agent.start();
    assert.equal(
      (await limit('processes limit', alice, 'blog.example'))?.from,
      `set by uid ${alice}`,
    );
  });

  test('explain shows limits that the policy overrules or no longer allows', async () => {
    const ruled = '<site name="blog.example"><processes limit="30"/></site>';
    agent.writePolicy(policy(allowed, ruled));
    const idle = async () => (await explained(alice, 'blog.example')).idle;
    await agent.until('the tenant is told', async () => (await idle()) !== undefined);
    assert.deepEqual(await idle(), [
      {
        limit: 'processes limit',
        value: '11',
        by: `uid ${alice}`,
        reason: 'the policy sets this limit of the site',
      },
    ]);
    assert.equal(processesMax('blog.example'), '30');
    agent.writePolicy(policy('', sites));
    await agent.until('it is withdrawn', async () =>
      /does not let/.test((await idle())?.[0]?.reason ?? ''),
    );
    assert.equal(processesMax('blog.example'), 'max');
    const told = await runAs(alice, 'explain', 'blog.example');
    assert.match(
      told.stdout,
      /^Not in force: processes limit 11, set by uid 880041: the policy does/m,
    );
    assert.match(
      await set(alice, 'blog.example', 'unset=processes'),
      /^403 the administrator does/,
    );
    agent.writePolicy(policy(allowed));
    await agent.until('it is given again', async () => (await idle()) === undefined);
    assert.equal(processesMax('blog.example'), '11');
  });

  test('set and unset by a reseller change a limit that its tenant cannot lift', async () => {
    const name = `${bob}/bob.example`;
    const bobs = () => pidsMax(`r${reseller}/u${bob}/s-bob.example`);
    agent.writePolicy(policy(allowed, sites, '<sites limits="reseller tenant"/>'));
    await agent.until('both may', async () =>
      (await set(reseller, name, 'check=1&set=processes=8')).startsWith('checked'),
    );
    const done = await runAs(reseller, 'set', name, 'processes=8');
    assert.equal(done.stderr, '');
    assert.match(done.stdout, /^Changed site "uid 880042\/bob\.example"; it is in force$/m);
    assert.equal(bobs(), '8');
    for (const uid of [bob, reseller]) {
      const shown = await runAs(uid, 'explain', name);
      assert.match(shown.stdout, /^processes limit +8 +set by reseller uid 880044 *$/m);
    }
    for (const query of ['set=processes=30', 'set=processes=2', 'unset=processes'])
      assert.match(await set(bob, 'bob.example', query), /^400 .*reseller uid 880044 has set/);
    assert.match(await set(reseller, name, 'set=processes=41'), /^400 .*above that of the tenant/);
    assert.match(await set(reseller, `${alice}/blog.example`, 'set=processes=3'), /^404/);
    assert.match(await set(reseller, `${bob}`, 'set=processes=3'), /^403 only the administrator/);
    assert.equal(bobs(), '8');
    const unset = await runAs(reseller, 'unset', name, 'processes');
    assert.equal(unset.status, 0, unset.stderr);
    assert.equal(bobs(), 'max');
    assert.equal(await set(reseller, name, 'set=processes=9'), 'in force');
    agent.writePolicy(policy(allowed));
    await agent.until('it is withdrawn', async () =>
      /does not let its reseller set/.test(
        (await explained(reseller, name)).idle?.[0]?.reason ?? '',
      ),
    );
    assert.equal(bobs(), 'max');
    agent.writePolicy(
      policy(allowed).replace(`<reseller uid="${reseller}">`, `<reseller uid="${stranger}">`),
    );
    await agent.until(
      'another reseller inherits nothing',
      () => !existsSync(`${kept()}/${bob}.reseller.json`),
    );
    agent.writePolicy(policy(allowed));
    await agent.until('the reseller is back', () => bobs() === 'max');
  });

  test('the agent reports a damaged file, and replaces it at the next change', async () => {
    writeFileSync(`${kept()}/${alice}.json`, '{"name":');
    agent.writePolicy(`${policy(allowed)}<!-- -->`);
    await agent.until('it is told', () => agent.log.includes('it is damaged'));
    assert.equal(processesMax('blog.example'), 'max');
    assert.equal(await set(alice, 'blog.example', 'set=processes=13'), 'in force');
    assert.equal(processesMax('blog.example'), '13');
  });

  test('the agent removes the file when the uid has another owner', async () => {
    const file = `${kept()}/${alice}.json`;
    writeFileSync(
      file,
      `{"name":"somebody-before","sites":{"blog.example":{"processes.limit":"5"}}}`,
    );
    agent.writePolicy(policy(allowed));
    await agent.until('it is removed', () => !existsSync(file));
    assert.equal(processesMax('blog.example'), 'max');
    assert.equal((await explained(alice, 'blog.example')).idle, undefined);
  });

  test('the agent removes the file with its tenant, and releaseAll() removes all', async () => {
    await eventually(
      'a change is allowed again',
      async () => (await set(alice, 'blog.example', 'set=processes=14')) === 'in force',
    );
    agent.writePolicy(policy(allowed).replace(/<tenant uid="880041">.*?<\/tenant>/, ''));
    await agent.until('it is removed', () => readdirSync(kept()).length === 0);
    agent.writePolicy(policy(allowed));
    await agent.until('the tenant is back', () => processesMax('blog.example') === 'max');
    await eventually(
      'a change is allowed again',
      async () => (await set(alice, 'blog.example', 'set=processes=15')) === 'in force',
    );
    await agent.stop();
    await eventually('all is released', () => releaseAll(agent.host, { kill: true }).ok);
    assert.ok(!existsSync(kept()));
  });
});
