/** The placer catches up after lost events and kills, and ends with its supervisor. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';
import { kill, read, Stage, uids } from './stage.ts';
import { placerSuite } from './suite.ts';

const instance = 'bulkhead-place-recovery';

placerSuite(instance, suite);

function suite(version: 1 | 2): void {
  const { first, second } = uids;
  let stage: Stage;

  before(() => {
    stage = new Stage(version, instance);
  });
  afterEach(() => stage.quiet());
  after(() => stage[Symbol.asyncDispose]());

  test('the placer scans all processes when it has lost events', async () => {
    await stage.place({ receiveBytes: 1 });
    const placer = stage.placement.pid;
    assert.ok(placer !== undefined);
    kill(placer, 'SIGSTOP');
    const children = Array.from({ length: 30 }, () => stage.sleepAs(second));
    await stage.until(
      'all have changed their uid',
      () => stage.processesOf(second).length === children.length,
    );
    kill(placer, 'SIGCONT');
    await stage.until('nobody is outside', () => stage.outside(second).length === 0);
    await stage.until('the loss is counted', () => stage.placement.status().overruns > 0);
    assert.ok(stage.placement.status().events < children.length, 'nothing was lost');
  });

  test('the placer is started again after it was killed, and catches up', async () => {
    await stage.place();
    await stage.placed(stage.sleepAs(first).pid, first);
    await stage.until('it is counted', () => stage.placement.status().migrated >= 1);
    const { pid } = stage.placement;
    assert.ok(pid !== undefined);
    kill(pid, 'SIGTERM');
    kill(pid);
    const child = stage.sleepAs(second);
    await stage.placed(child.pid, second);
    await stage.until('it is on again', () => stage.placement.status().state === 'on');
    const status = await stage.scanned();
    assert.equal(status.restarts, 1);
    assert.ok(status.migrated >= 1, 'the counters were forgotten');
    assert.notEqual(stage.placement.pid, pid);
    assert.match(stage.lines.join('\n'), /The placer exited \(SIGKILL\)/);
  });

  test('the placer is killed and started again when it hangs', async () => {
    await stage.place({ pingMilliseconds: 200 });
    const { pid } = stage.placement;
    assert.ok(pid !== undefined);
    kill(pid, 'SIGSTOP');
    const child = stage.sleepAs(first);
    await stage.placed(child.pid, first);
    assert.notEqual(stage.placement.pid, pid);
    await stage.until('it is counted', () => stage.placement.status().restarts >= 1);
  });

  test('the placer ends with its supervisor, however that ends', async () => {
    await stage.place();
    const { pid } = stage.placement;
    await stage.rest();
    await stage.until(
      'it has ended',
      () => pid !== undefined && (read(`/proc/${pid}/stat`) ?? ' Z ').includes(' Z '),
    );
    const script = `import { ConnectorPlacement } from '${new URL('../../src/agent/placer/placement.ts', import.meta.url).href}';
      const placement = new ConnectorPlacement({ log: () => {}, haltFile: '${stage.haltFile}' });
      placement.start();
      console.log(placement.pid);
      setInterval(() => {}, 1000);`;
    const child = execFile(process.execPath, ['--input-type=module-typescript', '-e', script]);
    const orphan = await new Promise<number>((resolve) =>
      child.stdout?.once('data', (text) => resolve(Number(text))),
    );
    await stage.until('it is at work', () => read(`/proc/${orphan}/comm`) === 'bulkhead-placer\n');
    child.kill('SIGKILL');
    await stage.until('it has ended too', () =>
      (read(`/proc/${orphan}/stat`) ?? ' Z ').includes(' Z '),
    );
  });
}
