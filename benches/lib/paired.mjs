// Paired differences over seeds.

/** Two-sided 95 % points of Student's t, by degrees of freedom from 1. */
const T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Mean of differences and its 95 % interval, in words. */
export function interval(apart) {
  const average = apart.reduce((sum, one) => sum + one, 0) / apart.length;
  const deviation = Math.sqrt(apart.reduce((sum, one) => sum + (one - average) ** 2, 0) / (apart.length - 1));
  const half = (T[apart.length - 2] * deviation) / Math.sqrt(apart.length);
  return `${average.toFixed(1)} (${(average - half).toFixed(1)} to ${(average + half).toFixed(1)})`;
}
