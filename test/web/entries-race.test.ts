/**
 * A sync that waited for its turn does not bring back what has been disabled meanwhile: the command itself, on an nginx
 * configuration that only its mount namespace has.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { untilItTries } from '../../testing/lock-tries.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';
import type { WebEntriesEnableJson, WebEntriesStatusJson } from '../../src/web/commands/json.ts';

const ready = await ensurePrerequisites('web', (line) => console.log(`# ${line}`));
const skip = ready.ok ? false : ready.reason;
const instance = 'bulkhead-entries-race';
const uid = 64_423;
const root = suiteDirectory('entries-race');
after(() => {
  for (const each of [`/run/${instance}`, `/var/lib/${instance}`])
    rmSync(each, { recursive: true, force: true });
});

/** Runs a script in a mount namespace with /etc/nginx and /etc/apache2 of its own. */
function run(script: string): string {
  const text = `set -e
mount --bind ${root}/nginx /etc/nginx
[ ! -d /etc/apache2 ] || mount --bind ${root}/apache2 /etc/apache2
lock=/run/${instance}/web-entries.lock
bulkhead() { scripts/with-node ${mainFile} --instance ${instance} "$@"; }
entries() { bulkhead web entries "$@"; }
policy="--policy ${root}/policy.xml"
${script}`;
  const { stdout, stderr, status } = spawnSync('unshare', ['-m', 'bash', '-c', text], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test(
  'web entries sync writes nothing when a disable ends while it waits for the lock',
  { skip },
  () => {
    mkdirSync(`${root}/nginx/conf.d`, { recursive: true });
    mkdirSync(`${root}/apache2`);
    mkdirSync(`${root}/www`);
    chownSync(`${root}/www`, uid, uid);
    writeFileSync(
      `${root}/nginx/nginx.conf`,
      `pid ${root}/nginx.pid; error_log ${root}/error.log; events { }
http { access_log off; include /etc/nginx/conf.d/*.conf;
  server { listen 127.0.0.1:1; server_name a.example; root ${root}/www;
    location ~ \\.php$ { fastcgi_pass unix:${root}/php.sock; } } }\n`,
    );
    writeFileSync(
      `${root}/policy.xml`,
      `<bulkhead version="1"><tenant uid="${uid}"><entries limit="5"/></tenant></bulkhead>\n`,
    );
    run('entries enable $policy');
    assert.ok(existsSync(`${root}/nginx/conf.d/bulkhead.conf`));
    // Does what "disable" does while it has the lock and a sync waits for it, whose descriptor is never 99.
    const said = run(`install -m 600 /dev/null $lock; exec 99<>$lock; flock 99
( exec 99>&-; exec scripts/with-node ${mainFile} --instance ${instance} web entries sync $policy > ${root}/sync ) & pid=$!
perl -e '${untilItTries}' /proc/$pid $lock || { echo went on; exit; }
rm -r /etc/nginx/conf.d/bulkhead.conf /etc/nginx/bulkhead /var/lib/${instance}/web-entries.json
rm $lock; exec 99>&-; wait $pid; cat ${root}/sync`);
    assert.match(said, /Entries are not enabled here/);
    assert.equal(existsSync(`${root}/nginx/conf.d/bulkhead.conf`), false);
  },
);

test('web entries enable, status, sync and disable print JSON', { skip }, () => {
  const enabled = jsonOf<WebEntriesEnableJson>(
    'web entries enable',
    run('entries enable $policy --json'),
  );
  assert.deepEqual(
    enabled.servers.map(({ server }) => server).filter((server) => server === 'nginx'),
    ['nginx'],
  );
  const status = run('entries status $policy --json || [ $? = 3 ]');
  const { servers } = jsonOf<WebEntriesStatusJson>('web entries status', status);
  const nginx = servers.find(({ server }) => server === 'nginx');
  assert.deepEqual(
    nginx?.sites.map(({ names, limit }) => [names, limit]),
    [[['a.example'], 5]],
  );
  jsonOf('web entries sync', run('entries sync $policy --json'));
  jsonOf('web entries disable', run('entries disable $policy --dry-run --json'));
});
