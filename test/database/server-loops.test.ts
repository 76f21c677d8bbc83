/** Each server has a loop of its own. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerLoops } from '../../src/database/io/worker/server-loops.ts';
import { eventually } from '../../testing/patience.ts';

class Server implements Disposable {
  turns = 0;
  isOver = false;
  readonly answer: () => Promise<unknown>;

  constructor(answer: () => Promise<unknown> = () => Promise.resolve()) {
    this.answer = answer;
  }

  [Symbol.dispose](): void {
    this.isOver = true;
  }
}

async function turn(server: Server): Promise<number> {
  server.turns += 1;
  await server.answer();
  return 1;
}

test('a server that hangs delays no other', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const [hung, other] = [new Server(() => promise), new Server()];
  using loops = new ServerLoops<Server>(turn);
  loops.keep(
    new Map([
      ['hung', () => hung],
      ['other', () => other],
    ]),
  );
  await eventually('the other one goes on', () => other.turns > 5);
  assert.equal(hung.turns, 1);
  resolve();
  await eventually('it goes on when it answers', () => hung.turns > 5);
});

test('servers that stay are kept, and those that go are asked no more', async () => {
  const [first, second] = [new Server(), new Server()];
  const unmade = () => assert.fail('it is there already');
  const loops = new ServerLoops<Server>(turn);
  loops.keep(new Map([['first', () => first]]));
  await eventually('it is asked', () => first.turns > 1);
  loops.keep(
    new Map([
      ['first', unmade],
      ['second', () => second],
    ]),
  );
  assert.deepEqual(loops.servers, [first, second]);
  loops.keep(new Map([['second', unmade]]));
  assert.ok(first.isOver && !loops.has(first));
  await sleep(10);
  const turns = first.turns;
  await eventually('the other one is asked', () => second.turns > 3);
  assert.equal(first.turns, turns);
  loops[Symbol.dispose]();
  assert.ok(second.isOver);
  assert.deepEqual(loops.servers, []);
});
