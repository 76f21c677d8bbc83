/** The start of every file of test/vm: whether there can be guests here, and one guest for all tests of a suite. */
import assert from 'node:assert/strict';
import { relative } from 'node:path';
import { after, before } from 'node:test';
import { logToStderr } from '../progress.ts';
import { longPatienceMilliseconds } from '../patience.ts';
import { ensurePrerequisites, type Suite } from '../prerequisites.ts';
import { shellQuote, type GuestResult } from './command.ts';
import { startGuest, type Guest } from './guest.ts';
import { prepareImage, type Image } from './image.ts';
import { copyInstalled } from './installed.ts';
import type { Processors } from './machine.ts';
import { projectDirectory } from './project.ts';

export interface Guests {
  /** The reason for `suite` why there can be no guests here. */
  readonly skip: string | false;
  /** The image; available only if the tests are not skipped. */
  readonly image: Image;
}

/**
 * Prepares the guests, and logs why the tests of this file are skipped, if they are. `also`: the suite whose packages
 * they need besides guests.
 */
export async function prepareGuests(file: string, also?: Suite): Promise<Guests> {
  const prepared = await prepareImage(logToStderr);
  const needed = also === undefined ? undefined : await ensurePrerequisites(also, logToStderr);
  const blocker = needed?.ok === false ? needed.reason : undefined;
  const skip = prepared.ok ? (blocker ?? false) : prepared.error.reason;
  if (skip !== false) logToStderr(`Skipping ${relative(projectDirectory, file)}: ${skip}`);
  return {
    skip,
    get image() {
      if (!prepared.ok) throw new Error(prepared.error.reason);
      return prepared.value;
    },
  };
}

/** The guest of a suite. Commands in it have the time that they need on emulated processors. */
export interface SuiteGuest {
  /** The guest; available once the suite has begun. */
  readonly guest: Guest;
  readonly run: (command: string) => Promise<GuestResult>;
  readonly succeed: (command: string, input?: string) => Promise<string>;
  /** The same as the guest's own. */
  readonly until: (holds: string, shown?: string) => Promise<void>;
  /** Makes the directory, too. */
  readonly write: (path: string, text: string) => Promise<string>;
}

const timeoutMs = longPatienceMilliseconds;

/**
 * Prepares a guest; call it in a suite. The guest has the program as its package installs it, and is set up by `setUp`.
 */
export function guestOfSuite(
  guests: Guests,
  setUp: (guest: Guest) => Promise<unknown>,
  processors: Processors = 1,
): SuiteGuest {
  let started: Guest | undefined;
  before(
    async () => {
      started = await startGuest(guests.image, processors);
      await copyInstalled(started);
      await setUp(started);
    },
    { timeout: timeoutMs },
  );
  after(() => started?.[Symbol.asyncDispose]());
  const guest = () => {
    if (started === undefined) throw new Error('The guest has not been started yet');
    return started;
  };
  const succeed = (command: string, input?: string) =>
    guest().succeed(command, { timeoutMs, ...(input === undefined ? {} : { input }) });
  return {
    get guest() {
      return guest();
    },
    run: (command) => guest().run(command, { timeoutMs }),
    succeed,
    until: (holds, shown) => guest().until(holds, shown),
    write: (path, text) =>
      succeed(`mkdir -p "$(dirname ${shellQuote(path)})" && cat > ${shellQuote(path)}`, text),
  };
}

export interface InsideOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** A pattern of the names of tests to leave out. */
  readonly without?: string;
}

/**
 * Runs a file of tests inside the guest, and shows what it prints as it comes; rejects unless it passes. Call
 * `buildBesideSources` first. The file is its own runner: another Node.js would cost seconds on an emulated processor.
 */
export async function passInside(
  guest: Guest,
  file: string,
  { environment = {}, without }: InsideOptions = {},
): Promise<void> {
  const variables = Object.entries(environment).map(
    ([name, value]) => `${name}=${shellQuote(value)} `,
  );
  const skip = without === undefined ? '' : `--test-skip-pattern=${shellQuote(without)} `;
  const { status } = await guest.run(
    `cd /opt/bulkhead && ${variables.join('')}node ${skip}${file}`,
    {
      timeoutMs: longPatienceMilliseconds,
      onOutput: (text) => process.stderr.write(text.replaceAll(/^/gm, 'guest: ')),
    },
  );
  assert.equal(status, 0, `${file} fails in the guest`);
}
