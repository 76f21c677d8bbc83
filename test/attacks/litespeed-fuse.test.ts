/**
 * A tenant's FUSE mount that never answers, on the way to a file or a directory that LiteSpeed's configuration names:
 * nobody who reads that configuration waits for it.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { main, readAt } from '../web/litespeed/stage.ts';
import { skip } from './hanging-process.ts';

const tenant = 64_247;
const me = fileURLToPath(import.meta.url);
const [, , role, ...args] = process.argv;

if (role === 'read') await read(args[0] ?? '');
else if (role === 'inside') await inside(args);
else
  test("a tenant's FUSE mount makes no reader of LiteSpeed's configuration wait", { skip }, () => {
    using directory = temporaryDirectory('litespeed-fuse');
    const program = join(directory.path, 'fuse-mount');
    const source = fileURLToPath(new URL('./fuse-mount.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-o', program, source]);
    const words = [process.execPath, me, 'inside', program, join(directory.path, 'root')];
    const out = execFileSync('unshare', ['--mount', '--propagation', 'private', ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.equal(out, 'nobody waited\n');
  });

/** Reads a configuration with each way to name what is in a home. */
async function read(root: string): Promise<void> {
  const home = `${root}/home/shop`;
  const { sites, problems } = await readAt(root, {
    [main]: `include ${home}/conf
include ${home}/conf/*.conf
include ${home}/conf/one.conf
virtualHost shop {
  vhRoot ${home}
  configFile ${home}/conf/vhconf.conf
  docRoot ${home}/www
  vhDomain shop.example
  setUIDMode 2
  scriptHandler {
    add cgi:x php
  }
}
`,
  });
  const found = problems.map(({ message, file }) => [
    file?.slice(home.length),
    message.slice(0, 24),
  ]);
  process.stdout.write(JSON.stringify([sites.map(({ names }) => names), found]));
}

/** Runs in a mount namespace of its own, so that the mounts are gone whatever happens. */
async function inside([program = '', root = '']: readonly string[]): Promise<void> {
  const home = `${root}/home/shop`;
  for (const each of ['conf', 'www']) mkdirSync(join(home, each), { recursive: true });
  for (const each of ['', 'conf', 'www']) chownSync(join(home, each), tenant, tenant);
  for (const place of [home, `${home}/conf`, `${home}/www`]) {
    const server = spawn(program, [place, 'x', 'allow_other'], {
      env: { FUSE_UID: `${tenant}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(server.stdout, 'data');
      // In another process: where it waits, that one is ended.
      const out = execFileSync(process.execPath, [me, 'read', root], {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
        killSignal: 'SIGKILL',
      });
      const claim = `uid ${tenant} could claim an`;
      assert.deepEqual(
        JSON.parse(out),
        [
          [['shop.example']],
          ['/conf', '/conf', '/conf/one.conf', '/conf/vhconf.conf'].map((file) => [
            file,
            claim.slice(0, 24),
          ]),
        ],
        place,
      );
    } finally {
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
      execFileSync('umount', ['-l', place]);
    }
  }
  process.stdout.write('nobody waited\n');
}
