/** The pool of a real PHP-FPM from which processes came, whatever they call themselves. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { eventually } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { freePort } from '../../testing/free-port.ts';
import { readFpm } from '../../src/web/io/servers.ts';
import { poolOfProcess, workersOf } from '../../src/web/io/pool-of-process.ts';
import { phpVhost, uids, WebStage } from './stage.ts';

const ready = await ensurePrerequisites('web', (line) => console.log(`# ${line}`));

test(
  'poolOfProcess() finds the pool by its socket, and ignores the process title',
  { skip: ready.ok ? false : ready.reason },
  async () => {
    const stage = new WebStage();
    after(async () => {
      await stage.clear();
      stage.remove();
    });
    const port = await freePort();
    const root = stage.documents('site', uids.owner);
    // Its program runs in another process than the worker.
    writeFileSync(
      `${root}/index.php`,
      '<?php proc_open(["sleep", "3600"], [["file", "/dev/null", "r"], ["file", "/dev/null", "w"], ["file", "/dev/null", "w"]], $pipes); echo getmypid();',
    );
    stage.writeNginx();
    const pools = ['one', 'two'];
    stage.write(
      'sites/all.conf',
      pools
        .map((each) => phpVhost(`${each}.example`, port, root, stage.at(`${each}.sock`)))
        .join('\n'),
    );
    stage.writeFpm();
    for (const each of pools) stage.write(`pools/${each}.conf`, stage.pool(each, uids.owner));
    stage.write('pools/other.conf', stage.pool('other', uids.other));
    const [fpm] = stage.programs().fpm;
    assert.ok(fpm);
    stage.start(fpm.program, '-F', '-R', '-y', fpm.configuration);
    stage.start('/usr/sbin/nginx', '-c', stage.at('nginx.conf'));
    const answering = await Promise.all(pools.map((each) => stage.ask(`${each}.example`, port)));

    const read = await readFpm(fpm);
    const workers = workersOf(read.pools, '/proc');
    const named = (pid: number, uid = uids.owner) => poolOfProcess(pid, uid, workers, '/proc');
    assert.deepEqual(
      answering.map((pid) => named(pid)),
      pools,
    );
    for (const [index, worker] of answering.entries()) {
      const child = await eventually('the script has started a program', () => childOf(worker));
      after(() => process.kill(child));
      assert.equal(named(child), pools[index]);
    }
    // The master holds all sockets, and is root's.
    const master = parentOf(answering[0] ?? 0);
    assert.equal(named(master, 0), undefined);
    assert.equal(named(answering[0] ?? 0, uids.other), undefined);

    const title = 'php-fpm: pool other';
    const program = stage.write('title', `#!/bin/bash\nexec -a '${title}' sleep 3600\n`);
    chmodSync(program, 0o755);
    chownSync(program, uids.other, uids.other);
    const liar = spawn(program, { uid: uids.other, gid: uids.other, stdio: 'ignore' });
    after(() => liar.kill());
    const command = () => readFileSync(`/proc/${liar.pid}/cmdline`, 'utf8');
    await eventually('it has that title', () => command().startsWith(title));
    assert.equal(named(liar.pid ?? 0, uids.other), undefined);
  },
);

const parentOf = (pid: number) =>
  Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

function childOf(pid: number): number | undefined {
  const [child] = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      .split(' ')
      .filter((each) => each !== ''),
  );
  return child === undefined ? undefined : Number(child);
}
