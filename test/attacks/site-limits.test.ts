/**
 * Tenants and a reseller that change limits of sites without end, of their own and of others, with odd names and from several
 * processes, while the administrator edits the policy. Each gets the few changes that it is given, no tenant lifts what its
 * reseller has set, and root is answered all the while.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { socketOf } from '../../src/agent/api/client.ts';
import type { Explanation } from '../../src/policy/explain.ts';
import { parseSiteLimits, siteLimitBytesMax } from '../../src/policy/sites/site-limits.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';
import { buildProgram, programsReady } from '../placer/programs.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const here = hostHere('bulkhead-site-floods');
const ready = await programsReady();
const skip = 'skip' in here ? here.skip : !ready.ok && ready.reason;
const [victim, ...attackers] = [64_271, 64_272, 64_273, 64_274] as const;
/** A reseller that floods, too, and a tenant of it that wants to lift what it has set. */
const [reseller, owned] = [64_275, 64_276] as const;
const seconds = 8;
/** Ten at once and one in ten seconds, for each tenant; the rest is for a slow machine. */
const changesMax = (passed: number) => 11 + Math.ceil(passed / 10);
const sitesOfMany = 2000;

describe('floods of changes to site limits', { skip }, () => {
  let agent: RunningAgent;
  const directory = suiteDirectory('site-floods', '/var/tmp', 0o711);
  let program = '';

  const sites = (uid: number, count: number) =>
    Array.from({ length: count }, (_, index) => `<site name="s${index}.u${uid}.example"/>`).join(
      '',
    );
  const policy = (
    note: string,
  ) => `<defaults><sites limits="reseller tenant"/></defaults><!-- ${note} -->
    <reseller uid="${reseller}"><tenant uid="${owned}"><processes limit="50"/>${sites(owned, 2)}</tenant></reseller>
    <tenant uid="${victim}"><processes limit="50"/>${sites(victim, 1)}</tenant>
    ${attackers.map((uid) => `<tenant uid="${uid}"><processes limit="50"/><memory limit="64MiB"/>${sites(uid, 2)}</tenant>`).join('')}`;

  before(async () => {
    if ('skip' in here) return;
    program = buildProgram(fileURLToPath(new URL('site-limits.c', import.meta.url)), directory);
    agent = new RunningAgent(here.host);
    rmSync(here.host.paths.state, { recursive: true, force: true });
    agent.writePolicy(policy('first'));
    await agent.start();
  });
  after(() => agent[Symbol.asyncDispose]());

  const flood = async (uid: number, names: readonly string[]) => {
    const words = [String(uid), socketOf(agent.host.paths), String(seconds), ...names];
    const { stdout } = await promisify(execFile)(program, words);
    return JSON.parse(stdout) as Readonly<Record<string, number>>;
  };
  const kept = () => `${agent.host.paths.state}/site-limits`;

  test('tenants change only their own sites, at a limited rate, and root is answered', async () => {
    const begun = performance.now();
    const odd = [
      '%00',
      '%1b%5b2J',
      '..%2F..%2Fetc',
      '__proto__',
      'x'.repeat(12_000),
      '%2F',
      `${victim}`,
    ];
    const shared = `${owned}%2Fs0.u${owned}.example`;
    const ruled = await agent.ask(`/v1/tenants/${shared}/limits?set=processes=6`, reseller, 'POST');
    assert.equal(ruled.status, 200, ruled.text);
    const floods = [...attackers, owned].flatMap((uid) => {
      const own = [`s0.u${uid}.example`, `${uid}%2Fs1.u${uid}.example`];
      const foreign = [`${victim}%2Fs0.u${victim}.example`, `u${victim}%2Fs0.u${victim}.example`];
      return [flood(uid, own), flood(uid, own), flood(uid, [...foreign, ...odd])];
    });
    const ofOthers = [victim, ...attackers].map((uid) => `${uid}%2Fs0.u${uid}.example`);
    const byReseller = [
      flood(reseller, [`${owned}%2Fs1.u${owned}.example`]),
      flood(reseller, [...ofOthers, `${owned}`, `${reseller}`, ...odd]),
    ];
    let asked = 0;
    const isOver = Promise.all([...floods, ...byReseller]);
    const state = { over: false };
    void isOver.finally(() => (state.over = true));
    while (!state.over) {
      assert.equal((await agent.ask('/v1/status')).status, 200);
      if (asked % 20 === 0) agent.writePolicy(policy(`edit ${asked}`));
      asked++;
    }
    assert.ok(asked > 20, `root was answered ${asked} times`);
    const results = await isOver;
    const passed = (performance.now() - begun) / 1000;
    for (const [index, uid] of [...attackers, owned].entries()) {
      const counts = results.slice(index * 3, index * 3 + 3);
      const shown = JSON.stringify(counts);
      const all = (status: string) => counts.reduce((sum, each) => sum + (each[status] ?? 0), 0);
      assert.equal(all('500'), 0, shown);
      assert.equal(counts[2]?.['200'], undefined, `a site of another: ${shown}`);
      assert.ok(all('200') <= changesMax(passed), `${uid} has made too many changes: ${shown}`);
      assert.ok(all('413') > 0 && all('429') > 0, `${uid} was not refused: ${shown}`);
    }
    const [ofItsOwn, ofStrangers] = results.slice(-byReseller.length);
    const shown = JSON.stringify([ofItsOwn, ofStrangers]);
    assert.equal(
      ofStrangers?.['200'],
      undefined,
      `a site of a tenant that is not its own: ${shown}`,
    );
    // One of them was made before.
    assert.ok((ofItsOwn?.['200'] ?? 0) < changesMax(passed), `too many changes: ${shown}`);
    const stays = await agent.ask(`/v1/tenants/${shared}/limits`, owned);
    const processes = stays
      .json<Explanation>()
      .limits.find(({ limit }) => limit === 'processes limit');
    assert.equal(processes?.value, '6', stays.text);
    assert.equal(processes.from, `set by reseller uid ${reseller}`);
    const names = readdirSync(kept()).filter((name) => name !== 'lock');
    const expected = [...attackers, owned].map((uid) => `${uid}.json`);
    assert.deepEqual(
      names.filter((name) => ![...expected, `${owned}.reseller.json`].includes(name)),
      [],
      'of the tenants that have asked, and nothing that was not finished',
    );
    for (const name of names) {
      assert.ok(statSync(`${kept()}/${name}`).size < siteLimitBytesMax);
      assert.ok(parseSiteLimits(readFileSync(`${kept()}/${name}`, 'utf8')), name);
    }
    await agent.until(
      'the policy is in force',
      async () => (await agent.status()).policy.state === 'in force',
    );
    const answered = await agent.ask(
      `/v1/tenants/s0.u${victim}.example/limits?set=processes=7`,
      victim,
      'POST',
    );
    assert.equal(answered.status, 200, answered.text);
  });

  test('a tenant with thousands of sites cannot set too many limits', async () => {
    const [uid] = attackers;
    const many = `<tenant uid="${uid}"><sites limits="tenant"/>${sites(uid, sitesOfMany)}</tenant>`;
    agent.writePolicy(many);
    await agent.until('all of them are there', async () => {
      const { rows } = (await agent.ask('/v1/top?all=1', uid)).json<{
        rows?: readonly unknown[];
      }>();
      return rows?.length === sitesOfMany + 1;
    });
    const words = Array.from({ length: 33 }, (_, index) => `set=processes=${index}`).join('&');
    const tooMany = await agent.ask(`/v1/tenants/s7.u${uid}.example/limits?${words}`, uid, 'POST');
    assert.equal(tooMany.status, 400);
    assert.equal((await agent.ask('/v1/status')).status, 200);
  });
});
