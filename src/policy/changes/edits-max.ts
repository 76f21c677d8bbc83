/** The number of edits that one change of the policy may have. */
export const editsMax = 100;
