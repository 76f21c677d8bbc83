// Attacks on the directory of a site by a hostile tenant, or by an intruder in one of its sites.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { parseStateFile } from '../../../src/jail/core/state-file.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { JailStage, reasonToSkip } from '../stage.ts';

const skip = reasonToSkip();
const [mallory, victim] = [620_500, 620_501] as const;
const shop = `${mallory}-shop` as const;
let stage: JailStage;
const scratch = suiteDirectory('jail-attack-sites', '/var/tmp', 0o755);

before(async () => {
  if (skip !== false) return;
  stage = new JailStage('attack-sites');
  await stage.release();
  const source = fileURLToPath(new URL('swap-home.c', import.meta.url));
  execFileSync('gcc', ['-O2', '-Wall', '-o', `${scratch}/swap-home`, source]);
});
after(async () => {
  if (skip !== false) return;
  await stage[Symbol.asyncDispose]();
});

/** Makes a directory of this uid, with a secret in it. */
function directoryOf(uid: number, path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  writeFileSync(`${path}/secret`, 'secret', { mode: 0o644 });
  chownSync(path, uid, uid);
  return path;
}

for (const [what, swapped] of [
  ['directory', ''],
  ['directory above it', '/public'],
] as const) {
  test(
    `site jail never leads elsewhere when a ${what} is swapped for a link during a build`,
    { skip },
    async () => {
      const { account } = stage.tenant(mallory);
      assert.ok(account);
      const above = swapped === '' ? account.home : `${account.home}${swapped}`;
      const home = `${above}/shop`;
      const place = swapped === '' ? home : above;
      for (const each of [above, home]) {
        mkdirSync(each, { recursive: true });
        chownSync(each, mallory, mallory);
      }
      // Links could lead to directories of the same name, another tenant's and root's.
      const target = directoryOf(victim, `${stage.homes}/target`);
      directoryOf(0, `${target}/shop`);
      const { ino } = lstatSync(target);
      const ids = ['--reuid', `${mallory}`, '--regid', `${mallory}`, '--clear-groups'];
      const swap = [`${scratch}/swap-home`, place, `${account.home}/aside`, target];
      const swapper = spawn('setpriv', [...ids, ...swap], { stdio: 'ignore' });
      let rounds = 0;
      try {
        for (; rounds < 4; rounds++) {
          // Something else each time, so that it is built each time.
          const profile = rounds % 2 === 0 ? 'web' : 'shell';
          await stage.build(stage.site(mallory, 'shop', { home, profile }));
          assert.equal(swapper.exitCode, null);
          if (parseStateFile(stage.stateText(shop)).state !== 'ready') continue;
          assert.notEqual(stage.see(shop, `stat -c %i ${home}`), `${ino}`);
          assert.equal(stage.see(shop, `ls ${home} | grep -c secret || true`), '0');
        }
      } finally {
        const ended = once(swapper, 'exit');
        swapper.kill('SIGKILL');
        await ended;
      }
      assert.equal(rounds, 4);
      rmSync(account.home, { recursive: true });
    },
  );
}

test(
  "site jail refuses a directory that is not the tenant's, or that others can replace",
  { skip },
  async () => {
    const { account } = stage.tenant(mallory);
    assert.ok(account);
    const home = `${account.home}/shop`;
    const refused = async (path: string, reason: RegExp) => {
      const built = await stage.build(stage.site(mallory, 'shop', { home: path }));
      assert.match(built.problems.map((each) => each.reason).join(), reason);
      assert.equal(parseStateFile(stage.stateText(shop)).state, 'failed', path);
    };
    await refused(home, /shop does not exist/);
    symlinkSync(directoryOf(victim, `${stage.homes}/u${victim}`), home);
    execFileSync('chown', ['-h', `${mallory}`, home]);
    await refused(home, /symbolic link/);
    rmSync(home);
    writeFileSync(home, '');
    await refused(home, /is not a directory/);
    rmSync(home);
    mkdirSync(home);
    await refused(home, /belongs to uid 0/);
    await refused(`${stage.homes}/u${victim}`, new RegExp(`belongs to uid ${victim}`));
    // The directory is its own, but the owner of the directory above could replace it with another of
    // its own.
    await refused(
      directoryOf(mallory, `${stage.homes}/u${victim}/own`),
      new RegExp(`belongs to uid ${victim}`),
    );
    await refused('/etc/bulkhead', /\/etc, of which a jail has its own/);
    chownSync(home, mallory, mallory);
    const built = await stage.build(stage.site(mallory, 'shop', { home }));
    assert.deepEqual(built.problems, []);
    assert.equal(stage.see(shop, `ls ${home}`), '');
  },
);

test(
  'site jail leads to nothing when a directory is moved out of the site during use',
  { skip },
  async () => {
    const { account } = stage.tenant(mallory);
    assert.ok(account);
    rmSync(account.home, { recursive: true });
    stage.tenant(mallory);
    const [site, sister] = [stage.site(mallory, 'shop'), stage.site(mallory, 'blog')];
    await stage.build(site, sister);
    const [from, to] = [`${account.home}/shop/sub`, `${account.home}/blog/sub`];
    stage.see(shop, `mkdir ${from}`);
    writeFileSync(`${account.home}/blog/secret`, 'secret');
    const wait = `cd ${from}; echo ready; read go; cat ../secret; ls .. ../..; cd ..; ls; cat secret; cat blog/secret`;
    const [program = '', ...args] = stage.enterCommand(shop, '/bin/sh', '-c', wait);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually('it is in the directory', () => said.includes('ready'));
    renameSync(from, to);
    const ended = once(child, 'exit');
    child.stdin.end('\n');
    await ended;
    assert.doesNotMatch(said, /secret|blog/);
  },
);

test(
  'site jail resolves links inside the site, and its removal follows no link',
  { skip },
  async () => {
    const [site, sister] = [stage.site(mallory, 'shop'), stage.site(mallory, 'blog')];
    await stage.build(site, sister);
    const homes = [site, sister].map(({ account }) => account?.home ?? '');
    const [own = '', other = ''] = homes;
    writeFileSync(`${other}/kept`, 'secret');
    for (const target of [`${other}/kept`, '../blog/kept', `/proc/1/root${other}/kept`]) {
      stage.see(shop, `ln -sfn ${target} ${own}/link`);
      assert.notEqual(stage.run(shop, '/bin/cat', `${own}/link`).status, 0, target);
    }
    assert.notEqual(stage.run(shop, '/bin/ln', `${own}/../blog/kept`, `${own}/hard`).status, 0);
    stage.see(
      shop,
      `ln -s ${other} /tmp/link; ln -s ${stage.homes} /var/tmp/link; mkdir -m 0 /tmp/closed`,
    );
    const dropped = await stage.build(sister);
    assert.deepEqual([dropped.problems, dropped.dropped], [[], [shop]]);
    assert.ok(lstatSync(`${other}/kept`).isFile());
  },
);
