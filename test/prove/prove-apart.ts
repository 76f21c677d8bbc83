/** A process that proves in a mount namespace of its own, where pins have a file system: `prove-apart.ts NAMES POLICY`. */
import { attackerLimits } from '../../src/prove/core/scratch-policy.ts';
import { chosen, ProveStage } from './prove-stage.ts';

const [names = '', policy = ''] = process.argv.slice(2);
const proof = await new ProveStage('bulkhead-provenet').proveHere(
  chosen(names.split(',')),
  attackerLimits,
  policy,
);
console.log(JSON.stringify(proof));
