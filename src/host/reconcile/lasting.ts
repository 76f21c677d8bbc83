/**
 * Lets through what two checks in a row have found. During one of them, a command that changes the state may be between
 * two of its steps.
 */
export class Lasting<Finding> {
  #wasFound = false;

  /** Takes what a check has found, and returns it if the check before has found something, too. */
  see(finding: Finding | undefined): Finding | undefined {
    const lasts = this.#wasFound;
    this.#wasFound = finding !== undefined;
    return lasts ? finding : undefined;
  }
}
