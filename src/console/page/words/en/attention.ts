/** The words for what needs attention, which hosts without it do not load. */
import { numbersOf } from '../numbers.ts';

const { count } = numbersOf('en');

export const attention = {
  title: 'What needs attention',
  policyProblems: {
    'in force': 'The policy is in force, with warnings.',
    refused: 'The policy file is not in force. The policy before it stays in force.',
    failed: 'The policy could not be applied in full.',
    absent: 'There is no policy.',
  },
  notGoingBack: 'Changes of the policy that were to go back by themselves stay in force.',
  placementOff:
    'The kernel does not report new processes here. The agent looks for them at each tick.',
  historyOff: 'No measurements are being kept.',
  unknownOutside: 'More processes may be outside.',
  process: (pid: number, uid: number) => `Process ${pid} of uid ${uid}`,
  notEnforced: (limit: string, tenants: number) =>
    `The limit of ${limit} is not enforced here. ${count(tenants, { one: 'tenant has', other: 'tenants have' })} it.`,
  partly: (limit: string, tenants: number) =>
    `The limit of ${limit} is enforced only in part. ${count(tenants, { one: 'tenant has', other: 'tenants have' })} it.`,
  reasons: (value: number) => count(value, { one: 'reason', other: 'reasons' }),
};
