/** Processes and threads of the program refuse a parent of another build. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { bundle, bundleWhole } from '../../scripts/bundle.ts';
import { programEntries } from '../../scripts/programs.ts';
import { root } from '../../scripts/steps.ts';
import { otherBuildInstalled, otherBuildStatus } from '../../src/sys/processes/same-build.ts';
import { startThread } from '../../src/sys/processes/thread-script.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const env = { PATH: '/usr/bin:/bin', BUILD: 'another' };
const children = Object.entries(programEntries).filter(([name]) => name !== 'main');

describe('requireSameBuild', () => {
  for (const [name, source] of children) {
    test(`${name} exits before it does anything`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [`${root}${source}`], {
        encoding: 'utf8',
        env,
      });
      assert.equal(status, otherBuildStatus, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /files of another version .*sources instead of another/);
    });
  }

  test('a thread exits with the same status', async () => {
    const worker = new Worker(`${root}src/store/history/history-worker.ts`, { env });
    assert.deepEqual(await once(worker, 'exit'), [otherBuildStatus]);
  });

  test('the parent learns it from a thread or a process', async () => {
    using directory = temporaryDirectory('same-build');
    const script = join(directory.path, 'thread.js');
    writeFileSync(
      script,
      `process.exit(process.env.BUILD === 'sources' ? ${otherBuildStatus} : 1)`,
    );
    startThread(script, {});
    await otherBuildInstalled;
  });
});

describe('a bundle', () => {
  test('has the version and the sources in its build', async () => {
    using directory = temporaryDirectory('build-id');
    await bundle({ own: 'src/sys/processes/same-build.ts' }, directory.path);
    const print = `import { ownBuild } from '${directory.path}/own.js'; console.log(ownBuild);`;
    const args = ['--input-type=module', '--eval', print];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.match(stdout, /^\d+\.\d+\.\d+ [0-9a-f]{12}\n$/, stderr);
  });

  test('sends a mail with the packages of npm that are in it', async () => {
    using directory = temporaryDirectory('bundled-mail');
    const { path } = directory;
    // Two entries, so that the code for mail is a chunk, as in a package, which loads the rest late.
    for (const name of ['one', 'two'])
      writeFileSync(
        `${path}/${name}.ts`,
        `export { sendMail } from '${root}src/agent/alerts/mail.ts';`,
      );
    writeFileSync(`${path}/sendmail`, `#!/bin/sh\ncat >${path}/sent\n`, { mode: 0o755 });
    const entries = { one: `${path}/one.ts`, two: `${path}/two.ts` };
    const packages = await bundleWhole(entries, `${path}/dist`, ['koffi'], '0.0.0');
    assert.ok(packages.includes('nodemailer'), packages.join());
    const mail = {
      from: 'a@x.example',
      to: 'b@x.example',
      id: 'i',
      host: 'x.example',
      subject: 's',
      text: 'hello',
    };
    const send = `import { sendMail } from '${path}/dist/one.js';
      const route = { smtp: undefined, sendmail: '${path}/sendmail' };
      console.log(JSON.stringify(await sendMail(${JSON.stringify(mail)}, route, new AbortController().signal)));`;
    const args = ['--input-type=module', '--eval', send];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.match(stdout, /"ok":true/, stdout + stderr);
    assert.match(readFileSync(`${path}/sent`, 'utf8'), /^hello$/m);
  });
});
