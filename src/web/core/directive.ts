/** A line of a web server's configuration, wherever it was written. */

export interface ConfigLine {
  readonly file: string;
  readonly line: number;
}

export interface Directive extends ConfigLine {
  readonly name: string;
  readonly args: readonly string[];
  /** The directives inside its braces or its section. */
  readonly block?: readonly Directive[];
}

/** Something that could not be read, and its place if that is known. */
export interface ReadProblem {
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
}

/** Nothing is nested deeper in a configuration that somebody wrote. */
export const depthMax = 64;
