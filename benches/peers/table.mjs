// The medians of a run beside each other, the ratios that count, and whether every engine computed the same.
const WORKS = ['MM', 'W0', 'W1', 'W2', 'W3', 'W4'];
/** Numerator, denominator: each an engine and a workload. */
const RATIOS = (ours) => [
  [[ours, 'W0'], ['torch-1t', 'W0']],
  [[ours, 'W1'], ['torch-1t', 'W1']],
  [[ours, 'W4'], ['torch-1t', 'W4']],
  [[ours, 'W2'], ['ort-wasm', 'W2']],
  [[ours, 'W3'], [ours, 'W2']],
];
/** How near first losses, logits and distances must be to PyTorch's. */
const NEAR = { losses: 1e-4, logits: 1e-3, mad: 1e-2 };

const shown = (ms) => (ms === undefined ? '-' : ms >= 100 ? ms.toFixed(0) : ms.toFixed(ms < 10 ? 2 : 1));

export function table(results) {
  const rows = [['ms, median', ...WORKS], ...Object.keys(results).map((name) => [name, ...WORKS.map((work) => shown(results[name][work]?.median))])];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) => row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '));
  for (const ours of Object.keys(results).filter((name) => name.startsWith('heirloom'))) {
    for (const [[name, work], [other, same]] of RATIOS(ours)) {
      const [own, theirs] = [results[name]?.[work]?.median, results[other]?.[same]?.median];
      if (own && theirs) lines.push(`${name} ${work} is ${(own / theirs).toFixed(2)} x ${other} ${same}`);
    }
  }
  return lines.join('\n');
}

/** A sentence for each engine that found something else than PyTorch. */
export function faults(results) {
  const reference = results['torch-1t'] ?? results['torch-2t'] ?? {};
  const first = (answer, kind) => (kind === 'losses' ? answer?.losses?.slice(0, 1) : answer?.[kind]?.first);
  const found = [];
  for (const [name, answers] of Object.entries(results)) {
    for (const [work, answer] of Object.entries(answers)) {
      if (answer.error) found.push(`${name} ${work}: ${answer.error}`);
      for (const [kind, tolerance] of Object.entries(NEAR)) {
        const [own, theirs] = [first(answer, kind), first(reference[work], kind)];
        if (own && theirs && !theirs.every((value, i) => Math.abs(value - own[i]) <= tolerance)) found.push(`${name} ${work} found ${own}, PyTorch finds ${theirs}`);
      }
    }
  }
  return found;
}
