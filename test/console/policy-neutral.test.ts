/** Answers to resellers about the policy: nothing of other accounts, of packages that are not for them, or of files. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PolicyPlan, PolicyResponse } from '../../src/agent/api/policy-api.ts';
import type {
  PolicyAudience,
  PolicyJob,
  PolicyQuestion,
} from '../../src/agent/policy/policy-job.ts';
import { runPolicyJob } from '../../src/agent/policy/run-job.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { keyOfText } from '../../src/store/changes/change-store.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const skip = process.getuid?.() === 0 ? false : 'only root reads policies here';
const accounts = { acme: 4000, globex: 4001, alice: 5001, bob: 5002, zoe: 5003 };
const secrets = ['globex', '4001', 'bob', '5002', 'zoe', '5003', 'secretpack', 'example.org'];
const policy = `<bulkhead version="1">
  <!-- zoe pays late -->
  <package name="small"><cpu limit="50%"/></package>
  <package name="secretpack" for="globex"><cpu limit="60%"/></package>
  <reseller user="acme" may="limits packages">
    <cpu limit="200%"/><tenant user="alice"><memory limit="1GiB"/></tenant>
  </reseller>
  <reseller user="globex" may="limits"><tenant user="bob"/></reseller>
  <tenant user="zoe"><site name="example.org"><cpu limit="10%"/></site></tenant>
</bulkhead>`;
const tick = { at: 0, seconds: 5, members: [], columns: emptyColumns(0) };

class Host implements Disposable {
  readonly #directory = temporaryDirectory('policy-neutral', '/root');
  readonly file = `${this.#directory.path}/policy.xml`;
  readonly #paths = {
    ...pathsOf('bulkhead-policy-neutral'),
    etc: `${this.#directory.path}/etc`,
    runtime: `${this.#directory.path}/run`,
    state: `${this.#directory.path}/state`,
  };

  constructor(text = policy) {
    mkdirSync(this.#paths.etc);
    const lines = Object.entries(accounts).map(
      ([user, uid]) => `${user}:x:${uid}:${uid}::/:/bin/sh`,
    );
    writeFileSync(`${this.#paths.etc}/passwd`, `${lines.join('\n')}\n`);
    writeFileSync(this.file, text);
  }

  async ask(question: PolicyQuestion, uid: number = accounts.acme) {
    const audience: PolicyAudience = { kind: 'reseller', uid };
    const { file } = this;
    const job: PolicyJob = {
      paths: this.#paths,
      file,
      audience,
      editor: audience,
      author: { uid },
      question,
    };
    const { status, body } = await runPolicyJob(job, []);
    for (const secret of [...secrets, this.#directory.path, this.#paths.state, '/sys/fs'])
      assert.ok(!body.includes(secret), `${secret} in ${body}`);
    return { status, body };
  }

  send(kind: 'plan' | 'write' | 'simulate', value: unknown, etag?: string) {
    return this.ask({ kind, body: Buffer.from(JSON.stringify(value)), etag, tick });
  }

  [Symbol.dispose](): void {
    this.#directory.remove();
  }
}

const edit = (target: string, set: object) => ({ edits: [{ target, set }] });

test("a reseller's ETag and plan depend on nothing that it does not see", { skip }, async () => {
  using host = new Host();
  const seen = async () => {
    const { etag } = JSON.parse((await host.ask({ kind: 'read' })).body) as PolicyResponse;
    const { body } = await host.send('plan', edit('tenant alice', { cpu: '20%' }), etag);
    const plan = JSON.parse(body) as PolicyPlan;
    assert.equal(plan.etag, etag, body);
    return [etag, plan.planId];
  };
  const first = await seen();
  assert.notEqual(first[0], keyOfText(policy));
  writeFileSync(host.file, policy.replace('pays late', 'has paid').replace('10%', '20%'));
  assert.deepEqual(await seen(), first);
  for (const [from, to] of [
    ['1GiB', '2GiB'],
    ['50%', '40%'],
    ['200%', '210%'],
    ['limits packages', 'limits'],
  ] as const) {
    writeFileSync(host.file, policy.replace(from, to));
    const [etag, planId] = await seen();
    assert.notEqual(etag, first[0], to);
    assert.notEqual(planId, first[1], to);
  }
});

test('a reseller cannot tell what exists from what does not', { skip }, async () => {
  using host = new Host();
  // The words of its request come back, so they are none of the secrets here.
  const hidden = 'gold';
  writeFileSync(host.file, policy.replace('secretpack', hidden));
  const asked = [hidden, 'nothing'].map((name) =>
    host.send('plan', edit('tenant alice', { package: name })),
  );
  const [there, absent] = await Promise.all(asked);
  assert.deepEqual(there, absent);
  assert.equal(there?.status, 400);
  const [other, nobody] = await Promise.all(
    ['root', 'nobody7'].map((name) => host.send('plan', edit(`tenant ${name}`, { cpu: '1%' }))),
  );
  assert.deepEqual(other, nobody);
  const [one, two] = await Promise.all(
    [1, 999].map((number) => host.ask({ kind: 'undo', number, etag: undefined, tick })),
  );
  assert.deepEqual(one, two);
  for (const field of ['value', 'name', 'field']) {
    const [known, unknown] = await Promise.all(
      [hidden, 'nothing'].map(async (name) => {
        const set = field === 'name' ? { [name]: '1' } : { cpu: name };
        const whole = { ...edit('tenant alice', set), ...(field === 'field' && { [name]: 1 }) };
        const { body } = await host.send('plan', whole);
        return body.replaceAll(name, 'NAME');
      }),
    );
    assert.equal(known, unknown);
    assert.match(known ?? '', /NAME/);
  }
});

test(
  'a reseller reads no path and no name of others, whatever the state of the policy',
  { skip },
  async () => {
    for (const text of [
      policy,
      policy.replace('<package name="small">', '<package name="small" for="nobody-zoe">'),
      policy.replace('user="bob"', 'user="missing"'),
      policy.replace('<tenant user="zoe">', '<tenant user="zoe" package="secretpack2">'),
      policy.replace('</bulkhead>', ''),
      '',
      '[cagefs]\nzoe',
    ]) {
      using host = new Host(text);
      await host.ask({ kind: 'read' });
      await host.ask({ kind: 'changes', tenant: undefined, from: 0, to: Number.MAX_SAFE_INTEGER });
      await host.ask({ kind: 'change', number: 1, from: 0 });
      await host.ask({ kind: 'undo', number: 1, etag: undefined, tick });
      await host.send('plan', edit('tenant alice', { cpu: '70%' }));
      await host.send(
        'write',
        { ...edit('tenant alice', { cpu: '70%' }), planned: 'a'.repeat(64) },
        'b'.repeat(64),
      );
      await host.send('simulate', { ...edit('tenant alice', { cpu: '70%' }), periodSeconds: 3600 });
      await host.send('plan', { text });
      chmodSync(host.file, 0o666);
      assert.notEqual((await host.ask({ kind: 'read' })).status, 200);
    }
  },
);

test('a reseller learns nothing from any edit', { skip }, async () => {
  using host = new Host();
  const word = fc.oneof(
    fc.constantFrom(
      'alice',
      '5001',
      'acme',
      '4000',
      'defaults',
      'small',
      '100%',
      '1GiB',
      'unlimited',
    ),
    fc.constantFrom('0', '1e999%', '150%', '/etc/passwd', '"/><x', '../x', ' ', '\u202e', 'a/b'),
    fc.string({ maxLength: 12 }),
  );
  const safe = word.filter((each) => !secrets.some((secret) => each.includes(secret)));
  const kinds = fc.constantFrom(
    'tenant alice',
    'tenant',
    'site',
    'reseller',
    'package',
    'defaults',
    '',
  );
  const target = fc.oneof(
    kinds,
    fc.tuple(kinds, safe).map((each) => each.join(' ')),
  );
  const name = fc.oneof(
    fc.constantFrom(
      'cpu',
      'memory',
      'memory.soft',
      'io.read',
      'disk',
      'package',
      'may',
      'processes',
      'weight',
    ),
    fc.stringMatching(/^[a-z]{1,8}$/),
  );
  const wanted = fc.record(
    {
      target,
      set: fc.dictionary(name, safe, { maxKeys: 3 }),
      unset: fc.array(name, { maxLength: 2 }),
      remove: fc.boolean(),
    },
    { requiredKeys: ['target'] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(wanted, { minLength: 1, maxLength: 3 }), async (edits) => {
      await host.send('plan', { edits });
    }),
    { numRuns: 150 },
  );
});
