/** Rules where IPsec hides what a packet carries: what is allowed goes through, and what is refused does not. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { alice, everything, noStage, rulesFor, stageOfSuite, world4 } from './stage.ts';

const skip = await noStage();
const megabyte = 1_000_000;

suite('rules beside IPsec', { skip }, () => {
  let isSealed = false;
  const on = stageOfSuite(async (stage) => {
    stage.apply(rulesFor({}));
    await stage.serve('world', 'serve', 9000);
    isSealed = stage.seal();
  });
  const needsIpsec = (context: TestContext) => {
    if (!isSealed) context.skip('this kernel has no IPsec');
    return isSealed;
  };
  const open = () => on.stage.apply(rulesFor({ [alice]: { reach: everything } }));

  test('what rules allow goes through, and is counted', async (context) => {
    if (!needsIpsec(context)) return;
    const programs = on.stage.apply(
      rulesFor({ [alice]: { reach: { ...everything, metadata: false, mail: 'submission' } } }),
    );
    const before = programs.readUse().get(alice)?.sentBytes ?? 0;
    await on.stage.as(alice, 'put', world4, 9000, megabyte);
    assert.equal(await on.stage.as(alice, 'probe', world4, 9000), 'connected, sent');
    assert.ok((programs.readUse().get(alice)?.sentBytes ?? 0) - before > megabyte);
  });

  test('a connected socket for datagrams sends nothing to what is refused', async (context) => {
    if (!needsIpsec(context)) return;
    open();
    assert.equal(await on.stage.as(alice, 'probe', world4, 9000), 'connected, sent');
    on.stage.apply(rulesFor({ [alice]: { reach: { ...everything, others: 'refuse' } } }));
    const refused = await on.stage.as(alice, 'probe', world4, 9000);
    assert.equal(refused, 'connected, Operation not permitted');
    assert.equal(await on.stage.as(alice, 'say', world4, 9000, 'x'), 'Operation not permitted');
    assert.equal(await on.stage.as(alice, 'connects', world4, 9000, 2), '0 2');
  });
});
