/** Whole numbers of the command line, with their bounds. */
import { InvalidArgumentError, Option } from 'commander';

export function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Write a whole number from ${min} to ${max}.`);
    return value;
  };
}

const rowsMax = 100_000;

/** `-n`, alike for every command that lists. */
export const rowsOption = (usual?: number) =>
  new Option('-n, --count <rows>', 'most rows to print')
    .argParser(wholeNumber(1, rowsMax))
    .default(usual);
