/** The state of a host in its fleet: a word, and a color that is only an addition. */
import { Badge } from '../parts/badge.tsx';
import { stateWords } from './words.ts';

/** The states, the worst first, as somebody reads who wants to do something about them. */
export const stateOrder = [
  'rolled back',
  'refused',
  'unclear',
  'frozen',
  'unsupported version',
  'unknown',
  'silent',
  'held',
  'going back',
  'applying',
  'checking',
  'watching',
  'waiting',
  'new',
  'none',
  'healthy',
  'confirmed',
] as const;

const needingSomebody: ReadonlySet<string> = new Set(stateOrder.slice(0, 5));
const good: ReadonlySet<string> = new Set(['healthy', 'confirmed']);

/** Whether people should look at a host in this state. A silent one, and one that is held, have filters of their own. */
export const needsSomebody = (state: string): boolean =>
  needingSomebody.has(state) || !(stateOrder as readonly string[]).includes(state);

export const StateBadge = ({ state }: { readonly state: string }) => (
  <Badge
    kind={needsSomebody(state) ? 'refused' : good.has(state) ? 'good' : 'plain'}
    text={stateWords(state)}
  />
);
