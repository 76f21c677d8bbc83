/** A command of Bulkhead, without the program's name. */
export type Words = readonly string[];
