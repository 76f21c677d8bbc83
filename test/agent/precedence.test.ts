/** Programs that the agent starts for others do not keep the precedence of its unit. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sendMail } from '../../src/agent/alerts/mail.ts';
import { beNice } from '../../src/sys/processes/priority.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

test('sendmail, and what it leaves behind, has the priority of others', { skip }, async (t) => {
  const directory = testDirectory(t, 'precedence');
  const [sendmail, found] = [join(directory, 'sendmail'), join(directory, 'nice')];
  writeFileSync(sendmail, `#!/bin/sh\ncat >/dev/null\nnice >${found}\n`, { mode: 0o755 });
  const own = getPriority();
  setPriority(-5);
  t.after(() => setPriority(own));
  const mail = { from: 'a@example.org', to: 'b@example.org', id: '1', host: 'example.org' };
  const sent = await sendMail(
    { ...mail, subject: 'one', text: 'two' },
    { smtp: undefined, sendmail },
    AbortSignal.timeout(60_000),
  );
  assert.ok(sent.ok, JSON.stringify(sent));
  assert.equal(readFileSync(found, 'utf8'), '0\n');
});

test('nobody gets a higher priority than it had', (t) => {
  const child = spawn('sleep', ['60']);
  t.after(() => child.kill('SIGKILL'));
  assert.ok(child.pid !== undefined);
  beNice(child.pid, 15);
  beNice(child.pid, 10);
  assert.equal(getPriority(child.pid), 15);
  beNice(undefined);
  beNice(2 ** 22 + 1);
});

test('the unit asks for precedence', () => {
  const unit = readFileSync(new URL('../../packaging/bulkhead.service', import.meta.url), 'utf8');
  assert.match(unit, /^Nice=-5$/m);
  assert.match(unit, /^CPUWeight=1000$/m);
});
