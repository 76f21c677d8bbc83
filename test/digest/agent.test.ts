/** Digests of a real agent: what it knows of a tenant, who may ask for that, and that it has due ones sent. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { CheckJson } from '../../src/cli/commands/json.ts';
import type { DigestResponse } from '../../src/agent/api/api.ts';
import type { UsageResponse } from '../../src/agent/api/usage-api.ts';
import type { DigestPreviewJson, DigestSendJson } from '../../src/digest/commands/json.ts';
import { ledgerPath, readEntries } from '../../src/digest/io/ledger.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { AgentStage } from '../agent/agent-stage.ts';
import { program } from '../agent/running-agent.ts';

const stage = new AgentStage('bulkhead-digest', 889_000);
const { instance, skip, alice, bob, reseller, carol, runAs } = stage;
const oncePlaced = `until grep -q '/${instance}' /proc/self/cgroup; do sleep 0.1; done; sleep 0.2`;

describe('digests of the agent', { skip }, () => {
  stage.register();

  const run = (...args: readonly string[]) => {
    const words = ['--instance', instance, ...args, '--policy', stage.agent.policyFile];
    return spawnSync(program, words, { encoding: 'utf8' });
  };
  const usageAs = async (query: string, uid = 0) =>
    stage.agent.ask(`/v1/usage?metric=cpu${query}`, uid);
  const namesIn = async (uid: number) =>
    (await usageAs(`&as=${uid}`)).json<UsageResponse>().rows.map((row) => row.member);

  test('root asks what an account sees; nobody else may', async () => {
    assert.deepEqual(await namesIn(alice), [`u${alice}`]);
    assert.deepEqual((await namesIn(reseller)).sort(), [`r${reseller}`, `u${carol}`].sort());
    assert.equal((await usageAs(`&as=${bob}`, alice)).status, 403);
    assert.equal((await usageAs(`&as=0`, alice)).json<UsageResponse>().rows.length, 1);
    assert.equal((await usageAs(`&as=-1`)).status, 400);
  });

  test('a limit that was reached is in the preview of its tenant', async () => {
    stage.agent.writePolicy(
      stage
        .policy()
        .replace(
          '</alerts>',
          '<digest to="tenant" address="box@example.org" every="day" language="de"/></alerts>',
        ),
    );
    runAs(alice, `${oncePlaced}; for i in $(seq 60); do sleep 3600 & done 2>/dev/null; sleep 3600`);
    await stage.agent.until('forks were refused', async () => {
      const { rows } = (await usageAs(`&as=${alice}`)).json<UsageResponse>();
      return (rows[0]?.faults['processes.limit'] ?? 0) > 0;
    });
    const mail = run('digest', 'preview', String(alice));
    assert.equal(mail.status, 0, mail.stderr);
    assert.match(mail.stdout, /^To: box@example\.org\nSubject: Ihr Konto uid 889001 auf /);
    assert.match(
      mail.stdout,
      /\nuid 889001\n-+\n\n(?:- .*\n(?: {2}.*\n)*\n)*- Prozesse: Die Grenze von 20 wurde erreicht\. Anzahl: \d+\./,
    );
    assert.doesNotMatch(mail.stdout, /889002/);
    stage.agent.writePolicy(
      stage
        .policy()
        .replace('</alerts>', '<digest to="tenant" every="day" choose="50%"/></alerts>'),
    );
    const nowhere = run('digest', 'preview', String(alice));
    assert.match(nowhere.stdout, /^To: nobody; see the warning\nSubject: .*\n\n/);
    assert.match(nowhere.stdout, /limit of 20 was reached/);
    assert.match(
      nowhere.stderr,
      /mail to "uid 889001": it has no account, .* no mail would be sent/,
    );
    const unknown = run('digest', 'preview', 'nobody-here');
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /neither a tenant nor a reseller/);
  });

  test('the agent begins the rule, and a run with nothing due sends nothing', async () => {
    const { state } = stage.agent.host.paths;
    await stage.agent.until('the rule has begun', () => {
      const read = readEntries({ state });
      return read.ok && read.value.some((each) => each.state === 'since');
    });
    const ran = run('digest', 'send', '--json');
    assert.equal(ran.status, 0, ran.stderr);
    const { digests, problems } = jsonOf<DigestSendJson>('digest send', ran.stdout);
    assert.deepEqual(digests, [{ to: 'tenant', slot: null, sent: 0, failed: 0, leftOut: 0 }]);
    assert.deepEqual(problems, []);
    const draft = `${stage.agent.directory}/draft.xml`;
    copyFileSync(stage.agent.policyFile, draft);
    const before = readFileSync(ledgerPath({ state }), 'utf8');
    const words = ['--instance', instance, 'digest', 'send', '--policy', draft];
    const refused = spawnSync(program, words, { encoding: 'utf8' });
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /send the digests of ".*draft\.xml": the agent follows .*policy\.xml/,
    );
    assert.equal(readFileSync(ledgerPath({ state }), 'utf8'), before);
    const link = `${stage.agent.directory}/link`;
    symlinkSync(stage.agent.directory, link);
    const send = (...words: readonly string[]) =>
      spawnSync(program, ['--instance', instance, 'digest', 'send', ...words], {
        encoding: 'utf8',
      });
    for (const words of [['--policy', `${link}/policy.xml`], []]) {
      const sent = send(...words);
      assert.equal(sent.status, 0, sent.stderr);
      assert.match(sent.stdout, /^tenant: nothing is due$/m);
    }
    writeFileSync(draft, '<bulkhead version="1"><tenants uids="889001"/></bulkhead>\n');
    const nothing = send('--policy', draft);
    assert.equal(nothing.status, 0, nothing.stderr);
    assert.match(nothing.stdout, /^Nothing to send: the policy has no <digest>\n/);
    const observed =
      '<host limits="observe"/><agent><alerts><digest to="tenant"/></alerts></agent>';
    const members = '<tenant uid="889001"/>';
    writeFileSync(draft, `<bulkhead version="1">${observed}${members}</bulkhead>\n`);
    const observing = ['digest', 'preview', String(alice), '--policy', draft];
    const seen = spawnSync(program, ['--instance', instance, ...observing], { encoding: 'utf8' });
    assert.match(seen.stderr, /^bulkhead: warning: Limits are only observed, so no mail/m);
    const preview = run('digest', 'preview', String(alice), '--json');
    jsonOf<DigestPreviewJson>('digest preview', preview.stdout);
    const checked = jsonOf<CheckJson>('check', run('check', '--json').stdout);
    assert.deepEqual(
      checked.remarks.filter((each) => each.includes('texts')),
      [],
    );
  });

  test('a tenant chooses for itself, and its choice outlives the agent', async () => {
    const chosen = async (uid: number) =>
      (await stage.agent.ask('/v1/digest', uid)).json<DigestResponse>();
    const set = (query: string, uid: number) => stage.agent.ask(`/v1/digest?${query}`, uid, 'POST');
    await stage.agent.until('the policy allows it', async () => {
      const { digests } = await chosen(alice);
      return digests[0]?.useMin === '50%';
    });
    assert.equal((await set('use=90%25&every=off', alice)).json<DigestResponse>().use, '90%');
    assert.equal((await set('use=10%25', alice)).status, 403);
    assert.equal((await set('every=off', 0)).status, 403);
    await stage.agent.stop('SIGKILL');
    await stage.agent.start();
    const { use, every } = await chosen(alice);
    assert.deepEqual([use, every], ['90%', 'off']);
    assert.equal((await chosen(carol)).every, null);
    const preview = run('digest', 'preview', String(alice));
    assert.match(preview.stderr, /"uid 889001": it has turned its digest off, so no mail/);
  });
});
