/**
 * Accounts of the policy are deleted, made again and given to others while the agent runs. Other tenants' changes must
 * stay possible, nobody may lose its limits, and the next owner of a uid must get nothing of the one before.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { readText } from '../../packages/base/io/read.ts';
import { namedAccountsFile } from '../../src/host/accounts/named-accounts.ts';
import { accountsObstacle, addAccount, removeAccount } from './accounts-stage.ts';
import { hostHere } from '../conformance/host-here.ts';
import { program, RunningAgent } from '../agent/running-agent.ts';
import { reasonToSkip as noJails } from '../jail/stage.ts';

const instance = 'bulkhead-missing-test';
const here = hostHere(instance);
const [uid, other, fresh] = [64_251, 64_252, 64_253];
const shop = '/home/bhmissold/shop';
const [first, second] = ['bhmissold', 'bhmissnew'] as const;

const skip = 'skip' in here ? here.skip : accountsObstacle() || noJails();

describe('an account of the policy that is deleted', { skip }, () => {
  let agent: RunningAgent;
  let sleeper: ChildProcess | undefined;

  before(() => {
    if ('skip' in here) return;
    for (const name of [first, second]) removeAccount(name);
    // Jails that a killed run has left are mounted.
    run('release', '--kill');
    agent = new RunningAgent(here.host);
  });

  after(async () => {
    sleeper?.kill('SIGKILL');
    await agent.stop();
    run('release', '--kill');
    await agent[Symbol.asyncDispose]();
    for (const name of [first, second]) removeAccount(name);
  });

  const run = (...args: readonly string[]) =>
    spawnSync(program, ['--instance', instance, ...args], { encoding: 'utf8' });
  const write = (more = '') =>
    agent.writePolicy(
      `<agent interval="1s"/><tenant user="${first}"><processes limit="6"/><jail profile="web"/>
       <site name="shop.example"><jail profile="strict" home="${shop}"/></site></tenant>${more}`,
    );
  const addWithShop = (as: number) => {
    addAccount(first, as);
    mkdirSync(shop);
    chownSync(shop, as, as);
  };
  const driver = 'skip' in here ? undefined : here.host.probe();
  const hasCgroup = (of: number) =>
    driver?.ok === true && driver.value.counters(`u${of}`) !== undefined;
  const jail = (of: number | string) =>
    readText(`${agent.host.paths.runtime}/jail/tenants/${of}`) ?? '';
  const warnings = async () => {
    const { state, problems } = (await agent.status()).policy;
    return `${state}: ${problems.join('\n')}`;
  };

  test('keeps its limits and its jail, and later changes of the policy are applied', async () => {
    addWithShop(uid);
    write();
    await agent.start();
    assert.ok(hasCgroup(uid));
    assert.match(jail(uid), /^state ready$/m);
    assert.match(jail(`${uid}-shop.example`), /^state ready$/m);
    removeAccount(first);
    write(`<tenant uid="${other}"><processes limit="5"/></tenant>`);
    await agent.until('the other tenant has limits', () => hasCgroup(other));
    await agent.until('a warning names it', async () =>
      (await warnings()).includes(`Uid ${uid}, its last one, keeps its limits`),
    );
    assert.match(await warnings(), /^in force: /);
    assert.match(agent.log, new RegExp(`"${first}".* does not exist now`.replaceAll('"', '.*')));
    assert.ok(hasCgroup(uid));
    assert.match(jail(uid), /^state ready$/m);
    // Nothing starts in the jail of a site whose directory is gone with the account.
    assert.match(jail(`${uid}-shop.example`), /^state failed .*does not exist/m);
  });

  test('keeps them when the agent starts again', async () => {
    await agent.stop('SIGKILL');
    await agent.start();
    assert.match(await warnings(), /^in force: .*does not exist now/);
    assert.ok(hasCgroup(uid) && hasCgroup(other));
  });

  test('is named by apply, status and doctor, also in JSON; a typo is still refused', () => {
    const policy = ['--policy', agent.policyFile];
    const applied = run('apply', ...policy);
    assert.equal(applied.status, 0, applied.stderr);
    assert.match(applied.stderr, /does not exist now.*run: bulkhead remove bhmissold/);
    const missing = [{ user: first, uid, element: 'tenant', state: 'missing' }];
    for (const command of [['apply', ...policy], ['status', ...policy], ['doctor']]) {
      const { stdout, stderr } = run(...command, '--json');
      const { missingAccounts = [] } = JSON.parse(stdout || '{}') as {
        missingAccounts?: readonly unknown[];
      };
      assert.partialDeepStrictEqual(missingAccounts, missing, command[0] + stderr);
      assert.equal(missingAccounts.length, 1);
    }
    assert.match(run('status', ...policy).stderr, /does not exist now/);
    assert.match(run('doctor').stdout.replaceAll(/\s+/g, ' '), /Note: .*does not exist now/);
    const typo = `${agent.directory}/typo.xml`;
    writeFileSync(
      typo,
      readFileSync(agent.policyFile, 'utf8').replace(`"${first}"`, '"bhmissodl"'),
    );
    const refused = run('apply', '--policy', typo);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /There is no user "bhmissodl" on this host/);
    assert.ok(hasCgroup(uid));
    const edited = `${agent.directory}/edited.xml`;
    copyFileSync(agent.policyFile, edited);
    const removed = run('remove', first, '--no-apply', '--policy', edited);
    assert.equal(removed.status, 0, removed.stderr);
    assert.doesNotMatch(readFileSync(edited, 'utf8'), new RegExp(first));
  });

  test('gives nothing to the account that gets its uid', async () => {
    addAccount(second, uid);
    await agent.until('the warning says so', async () =>
      (await warnings()).includes(`"${second}" has got its uid ${uid}: the element has no effect`),
    );
    assert.match(await warnings(), /^in force: /);
    assert.ok(!hasCgroup(uid));
    assert.deepEqual([jail(uid), jail(`${uid}-shop.example`)], ['', '']);
    assert.ok(hasCgroup(other));
    const args = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sleep', '3600'];
    sleeper = spawn('setpriv', args, { stdio: 'ignore' });
    await agent.until('it runs', () => readText(`/proc/${sleeper?.pid}/comm`) === 'sleep\n');
    // A scan of all processes finds it, and leaves it where it is.
    assert.equal((await agent.ask('/v1/status?fresh=1')).status, 200);
    assert.doesNotMatch(
      readText(`/proc/${sleeper.pid}/cgroup`) ?? `/u${uid}`,
      new RegExp(`/u${uid}(?:/|$)`, 'm'),
    );
    assert.equal((await agent.ask('/v1/usage', uid)).status, 403);
  });

  test('stays without effect when that account is deleted too', async () => {
    const exited = once(sleeper ?? assert.fail(), 'exit');
    sleeper?.kill('SIGKILL');
    await exited;
    removeAccount(second);
    await agent.until('the warning names nobody', async () =>
      (await warnings()).includes(`another account has got its uid ${uid}`),
    );
    assert.ok(!hasCgroup(uid));
  });

  test('has its limits under its new uid when it is made again', async () => {
    addWithShop(fresh);
    write();
    await agent.until('it has limits', () => hasCgroup(fresh));
    await agent.until('no warning is left', async () => (await warnings()) === 'in force: ');
    assert.ok(!hasCgroup(uid));
    assert.match(readText(namedAccountsFile(agent.host.paths)) ?? '', /^bhmissold:64253:\d+:/m);
  });
});
