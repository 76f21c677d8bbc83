/** The pauses between looks at a server. A tenant that knew when the looks come could work between them. */

/** A pause differs from the planned one by at most this part of it. */
const jitterPart = 0.3;

/** Returns a pause around the planned one, in the same unit. After a few of them, a look comes at any moment. */
export const jittered = (pause: number, random: () => number = Math.random): number =>
  pause * (1 + jitterPart * (2 * random() - 1));
