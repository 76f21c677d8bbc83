/** The policy in the API on a host in a fleet: what the fleet says is shown with its file, and edits change only the own file. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { PolicyPlan, PolicyResponse } from '../../src/agent/api/policy-api.ts';
import type { PolicyAudience, PolicyQuestion } from '../../src/agent/policy/policy-job.ts';
import { runPolicyJob } from '../../src/agent/policy/run-job.ts';
import { fleetPolicyFile } from '../../src/host/fleet/fleet-policy.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const skip = process.getuid?.() === 0 ? false : 'only root reads policies here';
const accounts = { acme: 4000, alice: 5001, bob: 5002 };
const own = `<bulkhead version="1">
  <!-- the panel's -->
  <fleet name="example" host="web-1" accept="limits packages tenants rights"/>
  <tenant user="bob" package="small"/>
</bulkhead>
`;
const release = `<bulkhead version="1">
  <package name="small"><cpu limit="50%"/></package>
  <reseller user="acme" may="limits">
    <cpu limit="200%"/><tenant user="alice"><memory limit="1GiB"/></tenant>
  </reseller>
</bulkhead>`;
const tick = { at: 0, seconds: 5, members: [], columns: emptyColumns(0) };

class Host implements Disposable {
  readonly #directory = temporaryDirectory('policy-fleet', '/root');
  readonly file = `${this.#directory.path}/policy.xml`;
  readonly paths = {
    ...pathsOf('bulkhead-policy-fleet'),
    etc: `${this.#directory.path}/etc`,
    runtime: `${this.#directory.path}/run`,
    state: `${this.#directory.path}/state`,
  };

  constructor() {
    mkdirSync(this.paths.etc);
    mkdirSync(`${this.paths.state}/fleet`, { recursive: true });
    const lines = Object.entries(accounts).map(
      ([user, uid]) => `${user}:x:${uid}:${uid}::/:/bin/sh`,
    );
    writeFileSync(`${this.paths.etc}/passwd`, `${lines.join('\n')}\n`);
    writeFileSync(fleetPolicyFile(this.paths), release);
    writeFileSync(this.file, own);
  }

  async ask(question: PolicyQuestion, audience: PolicyAudience = { kind: 'administrator' }) {
    const { paths, file } = this;
    const uid = audience.kind === 'reseller' ? audience.uid : 0;
    const job = { paths, file, audience, editor: audience, author: { uid }, question };
    const { status, body } = await runPolicyJob(job, []);
    return { status, value: JSON.parse(body) as unknown };
  }

  send(kind: 'plan' | 'write', value: unknown, etag?: string, audience?: PolicyAudience) {
    const body = Buffer.from(JSON.stringify(value));
    return this.ask({ kind, body, etag, tick }, audience);
  }

  async read(audience?: PolicyAudience): Promise<PolicyResponse> {
    return (await this.ask({ kind: 'read' }, audience)).value as PolicyResponse;
  }

  /** Plans a change, and writes it as planned. */
  async change(edits: object, audience?: PolicyAudience) {
    const { etag } = await this.read(audience);
    const planned = await this.send('plan', edits, etag, audience);
    if (planned.status !== 200) return planned;
    const { planId } = planned.value as PolicyPlan;
    return this.send('write', { ...edits, planned: planId }, etag, audience);
  }

  now = () => readFileSync(this.file, 'utf8');

  [Symbol.dispose](): void {
    this.#directory.remove();
  }
}

const acme: PolicyAudience = { kind: 'reseller', uid: accounts.acme };

suite('the policy in the API on a host in a fleet', { skip }, () => {
  test('names the file of what the fleet says, and lines of the own file', async () => {
    using host = new Host();
    const value = await host.read();
    const where = (each: { readonly line?: number; readonly file?: string } | undefined) => [
      each?.line,
      each?.file,
    ];
    const fleets = fleetPolicyFile(host.paths);
    assert.equal(value.text, own);
    assert.deepEqual(value.diagnostics, []);
    assert.deepEqual(where(value.packages[0]), [undefined, fleets]);
    assert.deepEqual(
      value.tenants.map((each) => [each.name, each.package, ...where(each)]),
      [
        ['alice', undefined, undefined, fleets],
        ['bob', 'small', 4, undefined],
      ],
    );
  });

  test('plans and writes a change of a tenant of the fleet into the own file', async () => {
    using host = new Host();
    const change = { edits: [{ target: 'tenant alice', set: { 'memory.limit': '2GiB' } }] };
    const written = await host.change(change);
    assert.equal(written.status, 200, JSON.stringify(written.value));
    assert.equal(
      host.now(),
      own.replace(
        '</bulkhead>',
        '  <tenant user="alice">\n    <memory limit="2GiB"/>\n  </tenant>\n</bulkhead>',
      ),
    );
    const after = await host.read();
    assert.equal(after.tenants[0]?.reseller, 'acme');
  });

  test('lets a reseller of the fleet change limits of its tenants, and of no others', async () => {
    using host = new Host();
    const read = await host.read(acme);
    assert.deepEqual(
      read.tenants.map(({ name }) => name),
      ['alice'],
    );
    const set = (tenant: string) => ({
      edits: [{ target: `tenant ${tenant}`, set: { 'cpu.limit': '100%' } }],
    });
    const others = await host.change(set('bob'), acme);
    assert.ok(others.status >= 400, JSON.stringify(others.value));
    assert.equal(host.now(), own);
    const its = await host.change(set('alice'), acme);
    assert.equal(its.status, 200, JSON.stringify(its.value));
    assert.match(host.now(), /<tenant user="alice">\n {4}<cpu limit="100%"\/>/);
  });
});
