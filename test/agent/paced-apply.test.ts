/** Changes of tenants that are applied together. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PacedApply } from '../../src/agent/changes/paced-apply.ts';

describe('PacedApply', () => {
  test('has one more apply for all changes that come during one', async () => {
    const applies: PromiseWithResolvers<void>[] = [];
    const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    using paced = new PacedApply(async () => {
      const apply = Promise.withResolvers<void>();
      begun[applies.push(apply) - 1]?.resolve();
      await apply.promise;
    }, 0);
    const first = paced.run();
    await begun[0]?.promise;
    const others: Promise<void>[] = [];
    for (let change = 0; change < 5; change++) {
      others.push(paced.run());
      // Each has had the time to begin an apply of its own.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(applies.length, 1);
    applies[0]?.resolve();
    await first;
    await begun[1]?.promise;
    applies[1]?.resolve();
    await Promise.all(others);
    assert.equal(applies.length, 2);
  });

  test('applies later changes after an apply that failed', async () => {
    let applies = 0;
    using paced = new PacedApply(async () => {
      await Promise.resolve();
      if (++applies === 1) throw new Error('disk');
    }, 0);
    await assert.rejects(paced.run(), /disk/);
    await paced.run();
    assert.equal(applies, 2);
  });
});
