/** Whole numbers on the command line, with bounds. */
import { InvalidArgumentError, Option } from 'commander';

export function wholeNumberOption(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Use a whole number from ${min} to ${max}.`);
    return value;
  };
}

const rowsMax = 100_000;

/** Returns the option `-n`, the same for every command that lists. */
export const rowsOption = (defaultCount?: number) =>
  new Option('-n, --count <rows>', 'maximum number of rows')
    .argParser(wholeNumberOption(1, rowsMax))
    .default(defaultCount);
