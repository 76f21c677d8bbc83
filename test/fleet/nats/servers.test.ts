/** Servers of a fleet, as `bulkhead fleet server init` writes them: who reaches what. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  docHintSubject,
  docRequest,
  docSubject,
  statusSubject,
} from '../../../src/fleet/core/subjects.ts';
import { eventually } from '../../../testing/patience.ts';
import { skipWithoutNats, startServers } from './servers.ts';

for (const count of [1, 3] as const)
  test(`${count} server(s) carry a document and a status`, { skip: skipWithoutNats }, async () => {
    await using fleet = await startServers(count);
    const [centre, host] = [
      await fleet.connect(fleet.centre),
      await fleet.connect(fleet.host('web-1')),
    ];
    let hints = 0;
    host.subscribe(docHintSubject('web-1'), { callback: () => void hints++ });
    await host.flush();
    await centre.request(docSubject('web-1'), 'document of web-1');
    await eventually('the hint arrives', () => hints === 1);
    const answer = await host.request(docRequest('web-1'));
    assert.equal(answer.string(), 'document of web-1');
    const ack = await host.request(statusSubject('web-1'), 'fine');
    assert.equal(ack.json<{ stream: string }>().stream, 'STATUS');
  });
