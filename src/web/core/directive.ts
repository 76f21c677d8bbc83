/** A line of a web server's configuration, wherever it was written. */

export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface Directive extends Place {
  readonly name: string;
  readonly args: readonly string[];
  /** What is inside of its braces, or of its section. */
  readonly block?: readonly Directive[];
}

/** Something that could not be read, with what is known of where. */
export interface ReadProblem {
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
}

/** Nothing is nested deeper in a configuration that somebody wrote. */
export const depthMax = 64;
