/** The numbers of system calls up to Linux 5.0, and from 5.1 on; between them are none on x86-64. */
export const systemCalls: readonly number[] = [
  ...Array(335).keys(),
  ...Array.from({ length: 48 }, (_, index) => 424 + index),
];
