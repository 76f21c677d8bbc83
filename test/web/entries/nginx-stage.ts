/** The common part of tests of entries at a real nginx: two sites of one tenant, and one of another. */
import assert from 'node:assert/strict';
import { eventually } from '../../../testing/patience.ts';
import { times, vhost, type Answer, type EntriesStage, type Wanted } from '../entries-stage.ts';
import { uids } from '../stage.ts';

export const five = new Map([[uids.owner, 5]]);

export function nginxSites(stage: EntriesStage) {
  const at = (path: string) => stage.at(path);

  /** Prepares two sites of one tenant, and one of another. */
  async function threeSites(more = '', http = '', first = ''): Promise<void> {
    await stage.prepare(
      (port) =>
        [
          first,
          vhost('a.example', port, stage.root('a', uids.owner), at('owner.sock'), more),
          vhost('b.example', port, stage.root('b', uids.owner), at('owner.sock')),
          vhost('n.example', port, stage.root('n', uids.other), at('other.sock')),
        ].join('\n'),
      http,
    );
  }

  async function started(): Promise<void> {
    stage.start30();
    await stage.served(['a.example', 'b.example', 'n.example']);
  }

  async function enabled(limits: Wanted = five): Promise<void> {
    assert.equal(await stage.enabled(limits), 'reloaded');
  }

  /** Returns the answer to one more request while five run. */
  async function oneRefused(host: string, method = 'GET', path = '/'): Promise<Answer> {
    stage.shut();
    const all = times(5, { host }).map((each) => stage.ask1(each));
    await eventually('five run', () => stage.running() === 5);
    const answer = await stage.ask1({ host, method, path });
    stage.letGo();
    await Promise.all(all);
    return answer;
  }

  return { at, threeSites, started, enabled, oneRefused };
}
