/**
 * A measured value in 16 bits: 7 of exponent and 9 of mantissa, without a sign.
 *
 * It represents 2^-24 to 2^104 to within 0.1 %, whole numbers up to 1024 exactly, and zero as code 0. Codes have the
 * order of their values, so that quantiles and maxima are found among codes. Values below the least, negative values
 * and NaN become zero.
 *
 *     0      0        12288  1        12289  1.002    27648  1 GiB
 */
const mantissaBits = 9;
const dropped = 23 - mantissaBits;
const half = 1 << (dropped - 1);
/** The top bits of a `float` of 2^-24. */
const lowest = (127 - 24) << mantissaBits;
const infinite = 0x7f800000;

const codeMax = 0xffff;

/** Writes the codes of all values to `codes`; returns how many are not zero. */
export function encodeSamples(values: Float32Array, codes: Uint16Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let used = 0;
  for (let index = 0; index < bits.length; index++) {
    const code = codeOfBits(bits[index] ?? 0);
    codes[index] = code;
    if (code !== 0) used++;
  }
  return used;
}

/** Returns the code. The sign bit and NaN are above the pattern of infinity. */
function codeOfBits(bits: number): number {
  if (bits >= infinite) return bits === infinite ? codeMax : 0;
  const code = ((bits + half) >>> dropped) - lowest;
  return code < 0 ? 0 : code > codeMax ? codeMax : code;
}

const oneValue = new Float32Array(1);
const oneCode = new Uint16Array(1);

export function encodeSample(value: number): number {
  oneValue[0] = value;
  encodeSamples(oneValue, oneCode);
  return oneCode[0] ?? 0;
}

/** The value of every code: `sampleValues[code]`. */
export const sampleValues: Float32Array = everyValue();

function everyValue(): Float32Array {
  const bits = new Uint32Array(codeMax + 1);
  for (let code = 1; code <= codeMax; code++) bits[code] = (code + lowest) << dropped;
  return new Float32Array(bits.buffer);
}

/**
 * Codes that differ only in their last six bits share a bin of a histogram. An octave has eight bins, whose middles are
 * within 6.3 % of everything in them.
 */
export const binShift = 6;
export const binCount = (codeMax + 1) >> binShift;
export const codesInBin = 1 << binShift;

/** Returns the middle of a bin. */
export function binValue(bin: number): number {
  const low = sampleValues[bin << binShift] ?? 0;
  const high = sampleValues[((bin + 1) << binShift) - 1] ?? low;
  return (low + high) / 2;
}
