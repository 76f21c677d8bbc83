/** The option `--limit` of commands that list incidents. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { LimitKey } from '../../limits/limit.ts';
import { findAttribute } from '../../limits/limits.ts';
import { suggestion } from '../../policy/diagnostic.ts';
import { incidentWords } from '../../usage/incident-kinds.ts';
import { capabilitiesOf } from '../capability.ts';
import { limitKeys, shortLimit } from './format.ts';

export const limitOption = (command: Command): Option =>
  new Option('--limit <limit>', 'only this limit').argParser((text) =>
    parseLimit(text, incidentWords(capabilitiesOf(command))),
  );

/** Parses the name of a limit; `cpu` means `cpu.limit`. `words` are for what is not a limit. */
function parseLimit(text: string, words: ReadonlyMap<string, readonly LimitKey[]>): LimitKey {
  const attribute = findAttribute(text);
  if (attribute !== undefined) return attribute.key;
  const own = words.get(text);
  if (own?.[0] !== undefined && own.length === 1) return own[0];
  for (const keys of words.values()) for (const key of keys) if (text === key) return key;
  if (own !== undefined)
    throw new InvalidArgumentError(`"${text}" stands for several: write one of ${own.join(', ')}`);
  throw new InvalidArgumentError(
    `No limit has that name${suggestion(text, limitKeys().map(shortLimit))}`,
  );
}
