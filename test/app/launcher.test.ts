/** The launcher's options for applications, with values that are none. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { compileExec } from '../../scripts/entry.ts';

const skip = existsSync('/usr/bin/gcc') ? false : 'needs /usr/bin/gcc';

const refused: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [['--app', '../x'], /"\.\.\/x" is not the name of an application/],
  [['--app', ''], /is not the name of an application/],
  [['--app', 'Blog'], /is not the name of an application/],
  [['--app', 'a\nb'], /is not the name of an application/],
  [['--app', 'x'.repeat(33)], /is not the name of an application/],
  [['--app', 'blog', '--app-idle', '-1'], /is not a number of seconds/],
  [['--app', 'blog', '--app-idle', '1x'], /is not a number of seconds/],
  [['--app', 'blog', '--app-idle', '99999999999999999999'], /is not a number of seconds/],
  [['--app', 'blog', '--app-end', 'x'], /is not a number of seconds/],
  [['--app', 'blog', '--app-ready', '0'], /is not a number of seconds/],
  [['--app-tcp'], /--app-tcp and --app-descriptor need --app/],
  [['--app-descriptor'], /--app-tcp and --app-descriptor need --app/],
  [['--app', 'blog', '--app-tcp', '--app-descriptor'], /exclude each other/],
  [['--app'], /TENANT is missing|needs a value|is not the name/],
];

for (const [args, message] of refused)
  test(`bulkhead-exec ${JSON.stringify(args)} is wrong usage`, { skip }, () => {
    const words = args.length === 1 ? args : [...args, 'alice', '--', 'true'];
    const { status, stderr } = spawnSync(compileExec(), words, { encoding: 'utf8' });
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  });
