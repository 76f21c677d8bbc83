/** `bulkhead exec` uses accounts as they are at each start. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import {
  account,
  group,
  uidWithoutAccount,
  skip,
  scratch,
  uid,
  type LaunchResult,
  launch,
  assertRefused,
  useTenant,
} from './exec-stage.ts';

const fixture = join(scratch, 'etc');
const fixtureFiles = ['passwd', 'group', 'nsswitch.conf'];

/** Copies of this machine's files, which a launcher then sees in place of them. */
function makeFixture(): void {
  fs.rmSync(fixture, { recursive: true, force: true });
  fs.mkdirSync(fixture);
  for (const name of fixtureFiles) fs.copyFileSync(`/etc/${name}`, join(fixture, name));
  fs.writeFileSync(join(fixture, 'nsswitch.conf'), 'passwd: files\ngroup: files\n');
}

/** Returns args before the launcher that mount the fixture's files. */
function inFixture(): string[] {
  const mounts = fixtureFiles.map((name) => `mount --bind "$1/${name}" /etc/${name}`);
  const script = `${mounts.join(' && ')} && shift && exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', fixture];
}

const everything =
  'id -u; id -g; id -G; pwd; printf "%s\\n" "$HOME" "$SHELL"; echo "$USER $LOGNAME"';

describe('bulkhead exec with other accounts on the host', { skip }, () => {
  useTenant();

  beforeEach(makeFixture);

  const run = (tenant = account) =>
    launch(tenant, ['sh', '-c', everything], { prefix: inFixture() });
  const lines = (result: LaunchResult) => {
    assert.equal(result.status, 0, result.stderr);
    return result.stdout.split('\n');
  };

  test('takes a new home, shell and primary group at once', () => {
    change('passwd', setField(5, '/usr'));
    change('passwd', setField(6, '/bin/other'));
    const other = execFileSync('getent', ['group', group], { encoding: 'utf8' }).split(':')[2];
    change('passwd', setField(3, String(other)));
    const seen = lines(run());
    assert.deepEqual(seen.slice(3, 6), ['/usr', '/usr', '/bin/other']);
    assert.equal(seen[1], other);
  });

  test('refuses an account that was removed', () => {
    const removed = editAccount(() => undefined);
    change('passwd', removed);
    assertRefused(run(), /there is no such account/);
    assert.equal(lines(run(String(uid)))[6], `${uid} ${uid}`);
  });

  test('refuses an account whose uid has changed to one that is not a tenant', () => {
    change('passwd', setField(2, String(uidWithoutAccount)));
    assertRefused(run(), new RegExp(`uid ${uidWithoutAccount} has no cgroup`));
    change('passwd', setField(2, '0'));
    assertRefused(run(), /uid "0" never is/);
  });

  test('takes a uid for the account that has it now', () => {
    change('passwd', setField(0, 'someoneelse'));
    assertRefused(run(), /there is no such account/);
    assert.equal(lines(run(String(uid)))[6], 'someoneelse someoneelse');
  });

  test('drops a supplementary group when the account has left it', () => {
    const groups = () => lines(run())[2]?.split(' ').length;
    assert.equal(groups(), 2);
    change('group', (text) => text.replace(`:${account}\n`, ':\n'));
    assert.equal(groups(), 1);
  });

  test('gives the account all of its groups, however many', () => {
    const many = Array.from({ length: 200 }, (_, index) => 2_000_000 + index);
    const added = many.map((each) => `g${each}:x:${each}:${account}\n`).join('');
    change('group', (text) => `${text}${added}`);
    const groups = lines(run())[2]?.split(' ').map(Number) ?? [];
    assert.deepEqual(
      groups.filter((each) => each >= 2_000_000),
      many,
    );
  });

  test('treats every field of passwd as text', () => {
    const marker = join(scratch, 'field-marker');
    const odd = `$(touch ${marker})\`touch ${marker}\`'; touch ${marker}; "\\n* \\`;
    change('passwd', setField(4, odd));
    change('passwd', setField(5, `/nonexistent/${odd}`));
    change('passwd', setField(6, `${odd}x`));
    assert.deepEqual(lines(run()).slice(3, 6), ['/', `/nonexistent/${odd}`, `${odd}x`]);
    assert.ok(!fs.existsSync(marker));
  });
});

function change(name: string, edit: (text: string) => string): void {
  const path = join(fixture, name);
  const before = fs.readFileSync(path, 'utf8');
  const text = edit(before);
  assert.notEqual(text, before);
  fs.writeFileSync(path, text);
}

/** Edits the fields of the account's line; \`undefined\` takes it out. */
const editAccount =
  (edit: (fields: string[]) => string[] | undefined) =>
  (text: string): string =>
    text
      .split('\n')
      .flatMap((line) =>
        line.startsWith(`${account}:`) ? (edit(line.split(':'))?.join(':') ?? []) : line,
      )
      .join('\n');

const setField = (index: number, value: string) =>
  editAccount((fields) => fields.with(index, value));
