/** `db explain`, run as a program against generated responses. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DbExplainJson } from '../../src/database/commands/json.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { askingProgram, options } from '../cli/asking-program.ts';

const asking = askingProgram('bulkhead-db-explain');

async function prints(...args: string[]): Promise<string> {
  const { status, out, err } = await asking.run(['db', 'explain', ...args], { NO_COLOR: '' });
  assert.deepEqual([status, err], [0, '']);
  return out;
}

test('db explain sums up incidents, and lists the statements', options, async () => {
  const out = await prints('tenant0003');
  const line = out.replaceAll('\n', ' ');
  assert.match(line, /^tenant0003, from .*, incidents: 2\. Its database statements used 140 % of/);
  assert.match(line, /core for 24 s; 50 % are allowed\. .*paused for 16 s/);
  assert.match(out, /^ *10\.1 s +92 +SELECT \\u\{1b\}\[2J FROM wp_options WHERE a301 = \?$/m);
  assert.equal(out.includes('\u001b'), false);
});

test('db explain --json has the same', options, async () => {
  const json = jsonOf<DbExplainJson>('db explain', await prints('tenant0003', '--json'));
  assert.deepEqual([json.incidents, json.seconds, json.limit], [2, 24, 0.5]);
  assert.equal(json.statements.length, 2);
});

test('db explain says that a tenant was never over its share', options, async () => {
  assert.match(await prints('tenant0004'), /^tenant0004 was never over its share of database CPU/);
});
