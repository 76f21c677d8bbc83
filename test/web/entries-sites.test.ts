/**
 * Limits of sites and of resellers next to tenants' limits, at a real nginx: which of them refuses, and what the
 * refusal shows.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../testing/patience.ts';
import {
  EntryRefusalTally,
  type MemberRefusals,
} from '../../src/web/core/entries/refusal-tally.ts';
import { RefusalReceiver } from '../../src/web/io/entries/receiver.ts';
import {
  stagedSuite,
  statuses,
  times,
  vhost,
  type Answer,
  type Asked,
  type EntriesStage,
} from './entries-stage.ts';
import { uids } from './stage.ts';

const policy = `<reseller uid="64429"><entries limit="8"/>
  <tenant uid="${uids.owner}"><entries limit="5"/>
    <site name="a.example"><entries limit="3"/></site>
    <site name="b.example"/>
  </tenant>
  <tenant uid="${uids.other}"><entries limit="6"/></tenant>
</reseller>`;

await stagedSuite('entries of sites', suite);

function suite(stage: EntriesStage): void {
  const at = (path: string) => stage.at(path);

  /**
   * Prepares two vhosts of a site, another site of the tenant, and one of a neighbour with the same reseller.
   */
  async function prepared(more = '', http = ''): Promise<void> {
    await stage.prepare((port) => {
      const root = stage.root('a', uids.owner);
      const socket = at('owner.sock');
      return [
        vhost('www.a.example A.EXAMPLE', port, root, socket, more),
        vhost('a.example', port, root, socket, more).replace(
          'server_name',
          'server_name x.a.example',
        ),
        vhost('b.example', port, stage.root('b', uids.owner), socket, more),
        vhost('n.example', port, stage.root('n', uids.other), at('other.sock'), more),
      ].join('\n');
    }, http);
  }

  async function started(wanted = policy): Promise<void> {
    stage.start30();
    await stage.served(['www.a.example', 'b.example', 'n.example']);
    await stage.enabled(wanted);
  }

  /** Returns the answer to one more request while as many run. */
  async function oneMore(running: readonly Asked[], one: Asked): Promise<Answer> {
    stage.shut();
    const all = running.map((each) => stage.ask1(each));
    await eventually('they run', () => stage.running() === running.length);
    const answer = await stage.ask1(one);
    stage.letGo();
    assert.deepEqual(statuses(await Promise.all(all)), { 200: running.length });
    return answer;
  }

  const heading = ({ status, headers }: Answer) => [status, headers['x-limit']];

  test('web entries refuses at the limit of site, tenant or reseller, and names it in X-Limit', async () => {
    await prepared();
    await started();
    for (const path of ['/index.php', '/shop/item', '/index.php/tail']) {
      const site = times(7, { host: 'www.a.example', path });
      assert.deepEqual(statuses(await stage.atOnce(site)), { 200: 3, 508: 4 }, path);
    }
    const a = { host: 'www.a.example' };
    const other = { host: 'x.a.example' };
    const b = { host: 'b.example' };
    const n = { host: 'n.example' };
    assert.deepEqual(heading(await oneMore([a, a, other], other)), [508, 'entries 3/3; site']);
    assert.deepEqual(heading(await oneMore([a, a, other, b, b], b)), [508, 'entries 5/5']);
    assert.deepEqual(heading(await oneMore([a, a, b, b, b], a)), [508, 'entries 5/5']);
    assert.deepEqual(heading(await oneMore(times(6, n), n)), [508, 'entries 6/6']);
    const sum = [a, a, a, b, b, n, n, n];
    assert.deepEqual(heading(await oneMore(sum, n)), [508, 'entries 8/8; reseller']);
    const [site, tenant] = [times(4, a), times(6, b)];
    assert.deepEqual(statuses(await stage.atOnce(site)), { 200: 3, 508: 1 });
    assert.deepEqual(statuses(await stage.atOnce(tenant)), { 200: 5, 508: 1 });
  });

  test("web entries takes no slot of the tenant when the site's limit refuses", async () => {
    await prepared();
    await started();
    stage.shut();
    const three = times(3, { host: 'www.a.example' }).map((each) => stage.ask1(each));
    await eventually('three run', () => stage.running() === 3);
    const refused = await Promise.all(
      times(40, { host: 'www.a.example' }).map((each) => stage.ask1(each)),
    );
    assert.deepEqual(statuses(refused), { 508: 40 });
    const two = times(2, { host: 'b.example' }).map((each) => stage.ask1(each));
    await eventually('what is left of the tenant is free', () => stage.running() === 5);
    stage.letGo();
    assert.deepEqual(statuses(await Promise.all([...three, ...two])), { 200: 5 });
  });

  test('web entries page names whose limit it is, even in vhosts with a limit_conn of their own', async () => {
    await prepared(
      `include ${at('bulkhead/site-limit.conf')};\n  limit_conn theirs 60;`,
      'limit_conn_zone $binary_remote_addr zone=theirs:64k;',
    );
    stage.write('bulkhead/site-limit.conf', '');
    const { mark } = await import('../../src/web/core/entries/nginx-file.ts');
    stage.write('bulkhead/site-limit.conf', mark);
    await started();
    const a = { host: 'www.a.example' };
    const b = { host: 'b.example' };
    const n = { host: 'n.example' };
    for (const [running, one, header, words] of [
      [[a, a, a], a, 'entries 3/3; site', /limit is for this site only/],
      [[a, a, b, b, b], a, 'entries 5/5', /all sites of the same owner together/],
      [[a, a, b, b, b, n, n, n], n, 'entries 8/8; reseller', /a group of sites, to which this one/],
    ] as const) {
      const answer = await oneMore(running, one);
      assert.deepEqual(heading(answer), [508, header]);
      assert.match(answer.text, words);
      assert.doesNotMatch(answer.text, /[{}$]limit-of|bulkhead_/);
    }
  });

  test('web entries reports each refusal for the member whose limit was hit', async () => {
    await prepared();
    const tally = new EntryRefusalTally();
    const told = { sender: 33, apacheOwners: {} };
    const opened = RefusalReceiver.open(stage.socket, told, (all) => tally.addAll(all));
    assert.ok(opened.ok);
    await using receiver = opened.value;
    void receiver;
    await started();
    const [a, b, n] = ['www.a.example', 'b.example', 'n.example'].map((host) => ({ host }));
    assert.ok(a && b && n);
    await oneMore([a, a, a], a);
    await oneMore(times(5, b), b);
    await oneMore([...times(5, b), ...times(3, n)], n);
    const all: MemberRefusals[] = [];
    await eventually('three are reported', () => {
      all.push(...tally.take());
      return all.length >= 3;
    });
    assert.deepEqual(
      all.map(({ member, count, requests }) => [member, count, requests[0]?.site]),
      [
        [`u${uids.owner}/a.example`, 1, 'www.a.example'],
        [`u${uids.owner}`, 1, 'b.example'],
        ['r64429', 1, 'n.example'],
      ],
    );
  });

  test('web entries keeps the slots of running requests when another tenant gets the same limit', async () => {
    await prepared();
    const of = (uid: number) => `<tenant uid="${uid}"><entries limit="3"/></tenant>`;
    await started(of(uids.owner));
    const b = { host: 'b.example' };
    stage.shut();
    const running = times(3, b).map((each) => stage.ask1(each));
    await eventually('three run', () => stage.running() === 3);
    const outcome = await stage.enable(of(uids.owner) + of(uids.other));
    assert.deepEqual(outcome, { ok: true, value: 'reloaded' });
    const refused = await Promise.all(times(5, b).map((each) => stage.ask1(each)));
    assert.deepEqual(statuses(refused), { 508: 5 });
    stage.letGo();
    assert.deepEqual(statuses(await Promise.all(running)), { 200: 3 });
    await eventually('they are free again', async () => (await stage.ask1(b)).status === 200);
  });

  test("web entries enforces a site's limit without a tenant's, and stops when it is removed", async () => {
    await prepared();
    await started(
      `<tenant uid="${uids.owner}"><site name="b.example"><entries limit="2"/></site></tenant>`,
    );
    const b = { host: 'b.example' };
    assert.deepEqual(heading(await oneMore([b, b], b)), [508, 'entries 2/2; site']);
    assert.deepEqual(statuses(await stage.atOnce(times(7, { host: 'www.a.example' }))), {
      200: 7,
    });
    const lifted = await stage.enable(
      `<tenant uid="${uids.owner}"><site name="b.example"/></tenant>`,
    );
    assert.ok(lifted.ok);
    assert.deepEqual(statuses(await stage.atOnce(times(7, b))), { 200: 7 });
  });

  test("web entries status reports a site as partly enforced when its vhost name is another's too", async () => {
    await stage.prepare((port) => {
      const root = stage.root('a', uids.owner);
      const socket = at('owner.sock');
      return [
        vhost('same.example a.example', port, root, socket),
        vhost('same.example b.example', port + 1, root, socket),
      ].join('\n');
    });
    const planned = await stage.plan(policy);
    assert.ok(planned.ok);
    const { enforced, sites } = planned.value.enforcement;
    assert.deepEqual(
      sites.map(({ state }) => state),
      ['partly enforced', 'enforced'],
    );
    assert.match(
      sites[0]?.reason ?? '',
      /the vhost at .*all\.conf:14, which does not belong to that site/,
    );
    assert.deepEqual(
      enforced.map(({ bounds }) => bounds.map(({ member }) => member)),
      [[`u${uids.owner}`, 'r64429']],
    );
  });
}
