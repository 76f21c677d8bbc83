// The real php-fpm in a jail while it serves: what its scripts are, see and can do.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { canFilter } from '../../../src/jail/io/seccomp.ts';
import { packageFile } from '../../../src/sys/package-files.ts';
import { eventually } from '../../../testing/patience.ts';
import { bodyOf, FpmJailStage, namespaceOf, skip } from './stage.ts';

const stage = new FpmJailStage('serving');
stage.register();

describe('php-fpm in a jail', { skip }, () => {
  test('runs as the tenant, in its cgroup, with the seccomp filter', async () => {
    const child = stage.start();
    const status = bodyOf(await stage.php("echo file_get_contents('/proc/self/status');"));
    assert.match(status, new RegExp(`^Uid:\\s+${stage.uids.alice}\\b`, 'm'), stage.errors);
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    assert.match(status, /^CapBnd:\s+0+$/m);
    if (canFilter()) assert.match(status, /^Seccomp:\s+2$/m);
    const pid = Number(/^Pid:\s+(\d+)/m.exec(status)?.[1]);
    assert.equal(namespaceOf(pid), stage.stateFile().namespace);
    assert.equal(namespaceOf(child.pid ?? 0), stage.stateFile().namespace);
    const cgroup = readFileSync(`/proc/${child.pid}/cgroup`, 'utf8');
    assert.match(cgroup, new RegExp(`/u${stage.uids.alice}$`, 'm'));
    const { jails } = JSON.parse(stage.bulkhead('jail', 'status', '--json').stdout);
    assert.deepEqual([jails[0].outside, jails[0].stale], [[], []]);
    assert.ok(jails[0].inside.includes(child.pid), JSON.stringify(jails[0]));
  });

  test('shows a script only its own home, and no other tenants, server files or passwords', async () => {
    const text = bodyOf(
      await stage.php(`
        foreach (['${stage.homes}', '/home', '/etc', '/run', '/sys', '/var/lib/php'] as $at)
          echo $at, ': ', implode(' ', array_diff(@scandir($at) ?: [], ['.', '..'])), "\\n";
        foreach (['${stage.homes}/bob/secret.php', '/etc/shadow', '/etc/nginx/nginx.conf', '/etc/bulkhead/policy.xml',
          '${stage.directory}/${stage.uids.alice}.conf', '${stage.policy}', '/proc/1/environ', '/etc/php/8.4/fpm/pool.d/www.conf',
          '/proc/1/root/etc/shadow', '/proc/self/root/../../etc/shadow', 'glob://${stage.homes}/*/secret.php'] as $path)
          echo (@file_get_contents($path) === false && !@copy($path, '/tmp/x')) ? 'blocked' : 'NOT BLOCKED', " $path\\n";
        echo count(array_filter(glob('/proc/[0-9]*'), fn($p) => fileowner($p) !== posix_geteuid())), " of others\\n";
        exec('ls ${stage.homes} /etc; cat /etc/passwd', $lines); echo implode(' ', $lines), "\\n";
      `),
    );
    assert.doesNotMatch(text, /NOT BLOCKED/);
    assert.equal(text.match(/^blocked /gm)?.length, 11, text);
    assert.match(text, new RegExp(`^${stage.homes}: alice$`, 'm'));
    assert.match(text, /^\/sys: $/m);
    assert.match(text, /^0 of others$/m);
    assert.doesNotMatch(text, new RegExp(stage.users.bob));
    assert.match(text, new RegExp(stage.users.alice));
    // Outside it is readable, so the jail is what holds.
    assert.match(readFileSync(`${stage.homes}/bob/secret.php`, 'utf8'), /of bob/);
    assert.equal(
      spawnSync('setpriv', [
        `--reuid=${stage.uids.alice}`,
        '--clear-groups',
        'cat',
        `${stage.homes}/bob/secret.php`,
      ]).status,
      0,
    );
  });

  test('keeps a PHP session between requests', async () => {
    const code =
      "session_id('abcdefghijklmnopqrstuvwxyz'); session_start(); echo ++$_SESSION['n'];";
    const [first, second] = [await stage.php(code), await stage.php(code)];
    assert.deepEqual([bodyOf(first), bodyOf(second)], ['1', '2'], first.stderr + bodyOf(first));
    const place = "echo session_save_path(), ' ', ini_get('session.gc_probability');";
    assert.match(bodyOf(await stage.php(place)), / 1$/);
    const mine = '/var/lib/php/sessions/sess_abcdefghijklmnopqrstuvwxyz';
    assert.equal(
      bodyOf(await stage.php(`echo file_exists('${mine}') ? 'there' : 'not there';`)),
      'there',
    );
    assert.ok(!existsSync(mine));
  });

  test('delivers mail() through the broker', async () => {
    const broker = spawn(packageFile('libexec/bulkhead-broker'), [stage.instance, '--listen'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const mailbox = `/var/mail/${stage.users.alice}`;
    try {
      await eventually('it listens', () => existsSync(`/run/${stage.instance}/broker/socket`));
      const code = `var_export(mail('${stage.users.alice}', 'of a script', "hello", '', '-fme@example.org'));`;
      assert.equal(bodyOf(await stage.php(code)), 'true');
      await eventually(
        'it is in the mailbox',
        () => existsSync(mailbox) && /of a script/.test(readFileSync(mailbox, 'latin1')),
      );
      assert.match(readFileSync(mailbox, 'latin1'), /^From me@example\.org/m);
    } finally {
      broker.kill();
      await once(broker, 'exit');
      const sockets = ['broker', 'broker-sites'].map(
        (each) => `/run/${stage.instance}/${each}/socket`,
      );
      for (const each of [mailbox, ...sockets]) rmSync(each, { force: true });
    }
  });

  test('accepts an upload', async () => {
    const boundary = 'bulkhead-boundary';
    const content = 'x'.repeat(40_000);
    const form = `--${boundary}\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n${content}\r\n--${boundary}--\r\n`;
    const type = { CONTENT_TYPE: `multipart/form-data; boundary=${boundary}` };
    const code = `$f = $_FILES['f']; echo $f['error'], ' ', dirname($f['tmp_name']), ' ';
      move_uploaded_file($f['tmp_name'], __DIR__ . '/a.txt'); echo filesize(__DIR__ . '/a.txt');`;
    assert.equal(bodyOf(await stage.php(code, type, Buffer.from(form))), '0 /tmp 40000');
    assert.equal(readFileSync(`${stage.homes}/alice/a.txt`, 'utf8'), content);
  });

  test('uses the opcode cache', async () => {
    const loaded = bodyOf(await stage.php("echo extension_loaded('Zend OPcache') ? 'yes' : 'no';"));
    if (loaded === 'no') return;
    const code =
      "$s = opcache_get_status(); echo json_encode([$s['opcache_enabled'], count($s['scripts']) > 0]);";
    assert.equal(bodyOf(await stage.php(code)), '[true,true]');
  });

  test('reads a changed configuration inside, with the same master', async () => {
    stage.writeConfig('env[ANSWER] = forty-two\n');
    assert.equal(bodyOf(await stage.php("echo getenv('ANSWER') ?: 'none';")), 'none');
    const [script, ...rest] = stage.words('copy');
    const copied = spawnSync(script, rest, { encoding: 'utf8' });
    assert.equal(copied.status, 0, copied.stderr);
    stage.master?.kill('SIGUSR2');
    await eventually(
      'the new configuration is used',
      async () => bodyOf(await stage.php("echo getenv('ANSWER') ?: 'none';")) === 'forty-two',
    );
    assert.equal(namespaceOf(stage.master?.pid ?? 0), stage.stateFile().namespace);
    // Nobody but root can change it, and others cannot read it.
    const path = `/.bulkhead/fpm/8.4/${stage.uids.alice}.conf`;
    const code = `$f = '${path}'; echo json_encode([fileowner($f), decoct(fileperms($f) & 0777), @file_put_contents($f, ''), @unlink($f)]);`;
    assert.equal(bodyOf(await stage.php(code)), '[0,"640",false,false]');
  });

  test('is stale after a policy change until it restarts', async () => {
    mkdirSync(`${stage.homes}/media`, { recursive: true });
    stage.mustApply(`<jail profile="strict"/>`);
    const state = () => JSON.parse(stage.bulkhead('jail', 'status', '--json').stdout).jails[0];
    assert.ok(state().stale.includes(stage.master?.pid));
    await stage.stop();
    stage.start();
    assert.equal(
      bodyOf(await stage.php("echo trim(file_get_contents('/run/bulkhead/profile'));")),
      'strict',
    );
    assert.deepEqual(state().stale, []);
    stage.mustApply();
    await stage.stop();
  });
});
