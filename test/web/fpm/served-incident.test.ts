/**
 * The incident of a tenant whose PHP is busy, by a real agent: it names the script, to callers that may know
 * it.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import type { IncidentResponse, IncidentsResponse } from '../../../src/agent/api/api.ts';
import { eventually } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { RunningAgent } from '../../agent/running-agent.ts';
import { hostHere } from '../../conformance/host-here.ts';
import { askFastCgi } from '../../jail/fastcgi.ts';
import { fpm, skip } from './stage.ts';

const here = hostHere('bulkhead-served-test');
const [alice, reseller] = [64_450, 64_459] as const;

test(
  'incident names the script that PHP was running to the tenant, and not to its reseller',
  { skip: 'skip' in here ? here.skip : skip },
  async () => {
    if ('skip' in here) return;
    using scratch = temporaryDirectory('fpm-incident', tmpdir(), 0o755);
    const at = scratch.path;
    const socket = `${at}/socket`;
    const pool = `[a]\nuser = ${alice}\ngroup = ${alice}\nlisten = ${socket}\npm = static\npm.max_children = 2\n`;
    writeFileSync(`${at}/conf`, `[global]\nerror_log = ${at}/log\n${pool}`);
    writeFileSync(
      `${at}/busy.php`,
      `<?php set_time_limit(0); while (!file_exists('${at}/open')) { for ($i = 0; $i < 100000; $i++); clearstatcache(); }`,
    );
    await using agent = new RunningAgent(here.host);
    agent.writePolicy(`<agent interval="1s"/>
<reseller uid="${reseller}"><tenant uid="${alice}"><cpu limit="10%"/></tenant></reseller>`);
    await agent.start();
    const master = spawn(fpm.program, ['--nodaemonize', '--fpm-config', `${at}/conf`], {
      stdio: 'ignore',
    });
    try {
      await eventually('it listens', () => existsSync(socket));
      const asked = askFastCgi(socket, {
        SCRIPT_FILENAME: `${at}/busy.php`,
        SCRIPT_NAME: '/busy.php',
        REQUEST_METHOD: 'GET',
        QUERY_STRING: 'token=hidden',
      });
      const textFor = async (uid: number, id: number) =>
        (await agent.ask(`/v1/incidents/${id}`, uid)).json<IncidentResponse>();
      const found = await eventually('an incident names it', async () => {
        const { incidents } = (
          await agent.ask('/v1/incidents?limit=cpu.limit', 0)
        ).json<IncidentsResponse>();
        for (const { id, who } of incidents.filter((each) => each.who.kind === 'tenant')) {
          assert.equal(who.uid, alice);
          const { explanation } = await textFor(0, id);
          if (explanation.join(' ').includes('PHP was serving GET /busy.php')) return id;
        }
        return undefined;
      });
      const own = await textFor(alice, found);
      const [request] = own.evidence.flatMap(({ processes }) =>
        processes.flatMap((each) => each.request ?? []),
      );
      assert.deepEqual([request?.path, request?.script], ['/busy.php', `${at}/busy.php`]);
      const others = await textFor(reseller, found);
      assert.ok(others.evidence.length > 0);
      assert.doesNotMatch(JSON.stringify(others), /busy/);
      assert.doesNotMatch(JSON.stringify(own), /hidden/);
      writeFileSync(`${at}/open`, '');
      await asked;
    } finally {
      master.kill('SIGKILL');
      await once(master, 'exit');
    }
  },
);
