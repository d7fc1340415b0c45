// What every engine must find on the same weights and pictures: first losses, logits and distances are PyTorch's
// (peers/py/torch_ref.py), the shrunken photograph is Pillow's (peers/py/resize_ref.py).

const losses = ({ losses }) => losses?.slice(0, 1);
const picture = ({ picture }) => picture && [...picture.size, ...picture.first, picture.sum];

/** Where the numbers stand in an answer, what they are, how near they must be. */
const CHECKS = {
  W0: [losses, [2.34338], 1e-4],
  W1: [losses, [2.35973], 1e-4],
  W2: [({ logits }) => logits?.first, [-0.38734, 0.0876, 0.00246], 1e-3],
  W3: [({ mad }) => mad?.first, [115.8063, 115.8429, 115.917], 1e-2],
  W4: [losses, [2.41359], 1e-4],
  RS: [picture, [341, 256, 119, 123, 126, 125, 132, 131, 33258048], 0],
};

/** A sentence when the answer's numbers are not those that every engine must find. */
export function fault(work, answer) {
  // `W1-plain` and `W0-clip` start from the same weights as W1 and W0.
  const check = CHECKS[work.split('-')[0]];
  if (!check) return null;
  const [numbers, expected, tolerance] = check;
  const got = numbers(answer) ?? [];
  const isNear = expected.every((value, at) => Math.abs(value - got[at]) <= tolerance);
  return isNear ? null : `${work} found ${got.slice(0, expected.length)}, expected ${expected}`;
}
