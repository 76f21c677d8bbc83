/** The words for a recorded change of the policy, the same on the page of a tenant and in the record. */
export const change = {
  somebody: 'somebody unknown',
  loginBy: (user: string, by: string) => `${user}, logged in by ${by}`,
  ways: {
    console: 'in the console',
    command: 'on the command line',
    hand: 'in an editor',
    itself: 'automatically, since nobody kept it',
  },
  kinds: { added: 'added', removed: 'removed', order: 'in another order' },
  valuesUnknown: 'Which values changed is not known.',
};
