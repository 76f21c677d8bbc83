// The real php-fpm of a site, in a jail of its own.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseStateFile } from '../../../src/jail/core/state-file.ts';
import { eventually } from '../../../testing/patience.ts';
import { bodyOf, FpmJailStage, launcher, namespaceOf, skip } from './stage.ts';

const stage = new FpmJailStage('site');
stage.register();

test("runs a site's pool in the site's jail, or not at all", { skip }, async () => {
  mkdirSync(stage.shop.home, { recursive: true });
  chownSync(stage.shop.home, stage.uids.alice, stage.gid);
  writeFileSync(`${stage.homes}/alice/wp-config.php`, '<?php $password = 1;');
  const ofSite = (jail: string) => `<site name="${stage.shop.site}">${jail}</site>`;
  const own = ofSite(`<jail profile="strict" home="${stage.shop.home}"/>`);
  stage.mustApply(undefined, own);
  stage.writeConfig('', stage.shop);
  stage.start(stage.shop);
  const look = `echo implode(' ', array_diff(scandir('${stage.homes}/alice'), ['.', '..'])), ' ',
    var_export(@file_get_contents('${stage.homes}/alice/wp-config.php'), true), ' ',
    trim(file_get_contents('/run/bulkhead/profile'));`;
  assert.equal(
    bodyOf(await stage.php(look, {}, undefined, stage.shop)),
    'shop false strict',
    stage.errors,
  );
  const siteFile = `/run/${stage.instance}/jail/tenants/${stage.uids.alice}-${stage.shop.site}`;
  const text = readFileSync(siteFile, 'utf8');
  assert.equal(namespaceOf(stage.master?.pid ?? 0), parseStateFile(text).namespace);
  const cgroup = readFileSync(`/proc/${stage.master?.pid}/cgroup`, 'utf8');
  assert.match(cgroup, new RegExp(`/u${stage.uids.alice}/s-${stage.shop.site}$`, 'm'));
  // Read again, inside.
  stage.writeConfig('env[ANSWER] = forty-two\n', stage.shop);
  const [script, ...rest] = stage.words('copy', stage.shop);
  assert.equal(spawnSync(script, rest).status, 0);
  stage.master?.kill('SIGUSR2');
  const answer = "echo getenv('ANSWER') ?: 'none';";
  await eventually(
    'the new configuration is used',
    async () => bodyOf(await stage.php(answer, {}, undefined, stage.shop)) === 'forty-two',
  );
  await stage.stop();
  const refused = async (reason: RegExp) => {
    const [status] = (await once(stage.start(stage.shop), 'exit')) as [number];
    assert.equal(status, 1, stage.errors);
    assert.match(stage.errors, reason);
  };
  writeFileSync(siteFile, text.replace(/^state .*$/m, 'state failed its home is a link'));
  await refused(/could not be built: its home is a link/);
  writeFileSync(siteFile, text);
  // It has no cgroup, and still does not start in the jail of its tenant.
  stage.mustApply();
  writeFileSync(siteFile, text);
  await refused(/Cannot copy .* into the jail/);
  // As if the tenant itself had never had a jail.
  rmSync(`/run/${stage.instance}/jail/tenants/${stage.uids.alice}`);
  rmSync(`/var/lib/${stage.instance}/jailed`);
  for (const [site, status, said] of [
    [stage.shop.site, 1, /the policy gives it a jail, and this unit starts it outside/],
    ['blog.example', 0, /^$/],
  ] as const) {
    const asked = [
      'slice-root',
      stage.instance,
      `${stage.uids.alice}`,
      '/bin/true',
      stage.configOf(stage.shop),
      site,
    ];
    const ran = spawnSync(launcher, asked, {
      encoding: 'utf8',
      env: { LISTEN_FDNAMES: stage.socket },
    });
    assert.equal(ran.status, status, site);
    assert.match(ran.stderr, said);
  }
  // A site without an element of its own is in its tenant's jail.
  stage.mustApply(undefined, ofSite(''));
  stage.writeConfig('', stage.shop);
  stage.start(stage.shop);
  assert.match(bodyOf(await stage.php(look, {}, undefined, stage.shop)), / web$/);
  assert.equal(namespaceOf(stage.master?.pid ?? 0), stage.stateFile().namespace);
  await stage.stop();
  stage.mustApply();
});
