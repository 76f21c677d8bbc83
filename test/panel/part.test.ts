/** The moments at which the agent has the panel read. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync } from 'node:fs';
import { suite, test } from 'node:test';
import { failed } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Problem } from '../../packages/base/problem.ts';
import type { Log } from '../../src/agent/log.ts';
import { PanelPart } from '../../src/panel/io/panel-part.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { panelTree } from '../../testing/panel-tree.ts';
import { eventually } from '../../testing/patience.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

function policy(body: string) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  return resolvePolicy(document, { accounts: [], uidMin: 1000 });
}

suite('the part of the agent that follows the panel', () => {
  test('reads when the policy begins to follow it and when accounts change, and says a problem once', async (t) => {
    const { paths, root } = panelTree(testDirectory(t, 'panel-part'), { ann: 1001 });
    const said: string[] = [];
    const log = { warn: (text: string) => said.push(text) } as unknown as Log;
    let reads = 0;
    let answer: Result<void, Problem> = ok(undefined);
    const sync = async () => {
      reads++;
      return answer;
    };
    await using part = new PanelPart(paths, log, sync, 0);
    part.adopt(policy(''));
    part.adopt(policy('<panel source="auto"/>'));
    await eventually('it has read', () => reads === 1);
    // The policy is applied again after each change.
    part.adopt(policy('<panel source="auto"/><defaults/>'));
    answer = failed({ action: 'read the panel', reason: 'it is gone' });
    for (const [index, user] of ['ben', 'cleo'].entries()) {
      appendFileSync(`${root}/etc/passwd`, `${user}:x:${1002 + index}:1002::/:/bin/sh\n`);
      await eventually('it has read again', () => reads === 2 + index);
    }
    assert.deepEqual(said, ['Cannot read the panel: it is gone']);
    part.adopt(policy(''));
    appendFileSync(`${root}/etc/passwd`, 'dora:x:1009:1009::/:/bin/sh\n');
    part.adopt(policy('<panel source="hestia"/>'));
    await eventually('it has read for the other policy', () => reads === 4);
  });

  test('reads when a hook has left its mark, once for each', async (t) => {
    const directory = testDirectory(t, 'panel-mark');
    const { paths } = panelTree(directory, { ann: 1001 });
    const log = { warn: () => {} } as unknown as Log;
    let reads = 0;
    const sync = async () => {
      reads++;
      return ok(undefined);
    };
    const mark = `${directory}/panel-changed`;
    // One of an earlier agent must not hide the next one.
    appendFileSync(mark, '');
    await using part = new PanelPart({ ...paths, runtime: directory }, log, sync, 0);
    part.adopt(policy('<panel source="auto"/>'));
    await eventually('it has read', () => reads === 1);
    for (const next of [2, 3]) {
      appendFileSync(mark, '');
      await eventually('it has read for the mark', () => reads === next);
      assert.ok(!existsSync(mark));
    }
    // The removal of the mark causes no reading: one would have come before this one.
    appendFileSync(`${directory}/etc/passwd`, 'ben:x:1002:1002::/:/bin/sh\n');
    await eventually('it has read for the account', () => reads === 4);
  });
});
